<?php
declare(strict_types=1);

namespace Atelier\Shim;

use Atelier\Response;

const TEXT_TYPE = 'text/plain; charset=utf-8';

/** Sends what a handler has returned. */
function send(Call $call, mixed $value): void
{
    $response = $value instanceof Response ? $value : new Response($value, $value === null ? 204 : 200);
    [$body, $type] = encode($response->body);
    if (!isset(array_change_key_case($response->headers)['content-type']) && $type !== null && $response->status !== 204)
        $response->headers['content-type'] = $type;
    $empty = in_array($response->status, [204, 205, 304], true);
    if (is_string($body)) {
        if (strlen($body) > WINDOW_BYTES && !$empty) $response->headers['content-length'] ??= (string) strlen($body);
        $head = head($response);
        if (strlen($body) <= WINDOW_BYTES || $empty || $call->method === 'HEAD') {
            $call->answer($head, $empty || $call->method === 'HEAD' ? '' : $body);
            return;
        }
        $body = [$body];
    } else $head = head($response);
    $call->answerHead($head);
    if ($call->method !== 'HEAD' && !$empty)
        foreach ($body as $piece) $call->write((string) $piece);
    $call->end();
}

/** @return array{string|iterable, ?string} the body, and the type of its content where none is given */
function encode(mixed $body): array
{
    if ($body === null) return ['', null];
    if (is_string($body)) return [$body, TEXT_TYPE];
    if ($body instanceof \Traversable) return [$body, TEXT_TYPE];
    if (is_resource($body)) return [pieces($body), 'application/octet-stream'];
    if (is_object($body) && !$body instanceof \JsonSerializable && !$body instanceof \stdClass && method_exists($body, '__toString'))
        return [(string) $body, TEXT_TYPE];
    return [json_encode($body, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE), 'application/json'];
}

/** @param resource $file */
function pieces($file): \Generator
{
    try {
        while (!feof($file)) yield fread($file, DATA_BYTES_MAX);
    } finally {
        fclose($file);
    }
}

/** The head's text. Throws what names the header or status that is not fit to be sent. */
function head(Response $response): string
{
    if ($response->status < 200 || $response->status > 599)
        throw new \UnexpectedValueException("The status {$response->status} is not from 200 to 599.");
    $head = (string) $response->status;
    foreach ($response->headers as $name => $values) {
        if (!preg_match('/^[!#$%&\'*+.^_`|~0-9A-Za-z-]+$/D', (string) $name))
            throw new \UnexpectedValueException(sprintf('%s is not a header name.', json_encode($name, JSON_INVALID_UTF8_SUBSTITUTE)));
        foreach ((array) $values as $value) {
            $value = trim((string) $value);
            if (preg_match('//u', $value) !== 1) $value = latin1($value);
            if (!preg_match('/^[\t\x20-\x7e\x{80}-\x{ff}]*$/Du', $value))
                throw new \UnexpectedValueException("The value of the header $name holds characters that no header may hold.");
            $head .= "\n" . strtolower((string) $name) . ": $value";
        }
    }
    return $head;
}

/** Bytes that are no UTF-8, as code points. */
function latin1(string $bytes): string
{
    return preg_replace_callback(
        '/[\x80-\xff]/',
        static fn (array $found): string => chr(0xc0 | ord($found[0]) >> 6) . chr(0x80 | ord($found[0]) & 0x3f),
        $bytes,
    );
}
