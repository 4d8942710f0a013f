<?php
declare(strict_types=1);

namespace Atelier;

use Atelier\Shim\Call;
use Atelier\Shim\Instance;

/** The caller has left, the deadline has passed, or the instance is going; thrown by the next read or write. */
final class Cancelled extends \RuntimeException
{
}

/** One request. */
final class Request
{
    public readonly string $method;
    /** Path and query as they were sent. */
    public readonly string $target;
    /** Decoded, without the query. */
    public readonly string $path;
    public readonly string $queryString;
    /** @var array<string, mixed> as PHP reads them: `a[]=1` makes an array */
    public readonly array $query;
    /** @var array<string, string> names in lower case, repeated ones joined */
    public readonly array $headers;
    private ?string $body = null;

    public function __construct(private readonly Call $call)
    {
        $this->method = $call->method;
        $this->target = $call->target;
        [$path, $this->queryString] = explode('?', $call->target, 2) + [1 => ''];
        $this->path = rawurldecode($path);
        parse_str($this->queryString, $query);
        $this->query = $query;
        $headers = [];
        foreach ($call->fields as $field) {
            [$name, $value] = explode(': ', $field, 2) + [1 => ''];
            $joint = $name === 'cookie' ? '; ' : ', ';
            $headers[$name] = isset($headers[$name]) ? $headers[$name] . $joint . $value : $value;
        }
        $this->headers = $headers;
    }

    public function header(string $name): ?string
    {
        return $this->headers[strtolower($name)] ?? null;
    }

    public function url(): string
    {
        $scheme = str_starts_with($this->header('x-forwarded-proto') ?? '', 'https') ? 'https' : 'http';
        return "$scheme://" . ($this->header('host') ?? 'localhost') . $this->target;
    }

    /** All of the body; waits for it. */
    public function body(): string
    {
        if ($this->body !== null) return $this->body;
        $parts = [];
        while (($part = $this->call->readPart()) !== null) $parts[] = $part[0];
        return $this->body = implode('', $parts);
    }

    /** The next piece of the body, as it comes; null after the last. */
    public function read(): ?string
    {
        return $this->call->readPart()[0] ?? null;
    }

    /** The body as JSON; throws JsonException when it is none. */
    public function json(): mixed
    {
        return json_decode($this->body(), true, 512, JSON_THROW_ON_ERROR);
    }

    /** @return array<string, mixed> fields of a form in application/x-www-form-urlencoded */
    public function form(): array
    {
        parse_str($this->body(), $form);
        return $form;
    }

    /** @return array<string, string> */
    public function cookies(): array
    {
        $cookies = [];
        foreach (explode(';', $this->header('cookie') ?? '') as $pair) {
            [$name, $value] = explode('=', trim($pair), 2) + [1 => ''];
            if ($name !== '') $cookies[$name] = urldecode($value);
        }
        return $cookies;
    }
}

/** An answer: the body is text, null, something to iterate (a generator), an open file, or data that becomes JSON. */
final class Response
{
    /** @param array<string, string|list<string>> $headers */
    public function __construct(public mixed $body = null, public int $status = 200, public array $headers = [])
    {
    }

    public static function json(mixed $data, int $status = 200): self
    {
        $text = json_encode($data, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        return new self($text, $status, ['content-type' => 'application/json']);
    }
}

/** What the platform knows about one call. */
final class Context
{
    public readonly string $invocationId;
    public readonly ?string $traceparent;
    /** Epoch milliseconds. */
    public readonly int $deadline;
    /** @var array<string, string> */
    public readonly array $config;
    /** @var array<string, string> */
    public readonly array $secrets;
    /** @var array{project: string, app: string, name: string, version: int} */
    public readonly array $function;
    public readonly string $instance;
    public readonly int $memoryMiB;

    public function __construct(private readonly Call $call)
    {
        $spec = $call->instance->spec;
        $this->invocationId = $call->id;
        $this->traceparent = $call->header('traceparent');
        $this->deadline = $call->deadline;
        $this->config = $spec['config'];
        $this->secrets = $spec['secrets'];
        $this->function = $spec['function'];
        $this->instance = $spec['instance'];
        $this->memoryMiB = $spec['memoryMiB'];
    }

    public function remainingMs(): int
    {
        return max(0, $this->deadline - (int) (microtime(true) * 1000));
    }

    /** Why nobody waits any more (`client`, `deadline`, `shutdown`), or null. */
    public function cancelled(): ?string
    {
        if ($this->call->cancelReason === null) $this->call->instance->look();
        return $this->call->cancelReason;
    }

    /** Waits without holding up the other calls of this instance; returns early when the call is cancelled. */
    public function sleep(float $ms): void
    {
        $this->call->instance->sleep($this->call, $ms);
    }

    public function log(string $text): void
    {
        $this->call->output->print(1, "$text\n");
    }

    public function error(string $text): void
    {
        $this->call->output->print(2, "$text\n");
    }

    /** Accepts the WebSocket that the request offers. */
    public function upgradeWebSocket(?string $protocol = null): WebSocket
    {
        if ($this->call->header('upgrade') !== 'websocket')
            throw new \LogicException('This call offers no WebSocket: it has no "upgrade: websocket".');
        $this->call->socket = new WebSocket($this->call);
        $this->call->answerHead('101' . ($protocol === null ? '' : "\nsec-websocket-protocol: $protocol"));
        return $this->call->socket;
    }
}

/** One WebSocket message, whole. */
final class Message
{
    public function __construct(public readonly string $data, public readonly bool $text)
    {
    }
}

/** The code's end of a WebSocket; the platform speaks the protocol. */
final class WebSocket
{
    /** The code with which the other side has closed. */
    public ?int $closeCode = null;

    public function __construct(private readonly Call $call)
    {
    }

    /** The next message; null when the other side has closed. */
    public function receive(): ?Message
    {
        $part = $this->call->readPart();
        return $part === null ? null : new Message($part[0], $part[1]);
    }

    /** Sends a message of at most 1 MiB, waiting while the other side is behind. */
    public function send(string $data, bool $text = true): void
    {
        if (strlen($data) > Shim\PAYLOAD_BYTES_MAX) throw new \LengthException('A message may hold 1 MiB.');
        if ($this->call->over) throw new \LogicException('The socket is closed.');
        $this->call->writeMessage($data, $text);
    }

    public function close(int $code = 1000, string $reason = ''): void
    {
        $this->call->end(pack('n', $code) . substr($reason, 0, 123));
    }
}
