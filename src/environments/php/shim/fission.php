<?php
declare(strict_types=1);

namespace Atelier\Shim;

use Atelier\Context;
use Atelier\Request;
use Atelier\Response;

/** Functions written for Fission: `handler(array $context)` with request and response much as PSR-7 has them, and a logger. */
function fission(callable $target): \Closure
{
    return static function (Call $call) use ($target): void {
        $response = new FissionResponse();
        $result = $target([
            'request' => new FissionRequest(new Request($call)),
            'response' => $response,
            'logger' => new FissionLogger(new Context($call)),
        ]);
        if ($result instanceof FissionResponse) $response = $result;
        elseif (is_string($result)) $response->getBody()->write($result);
        send($call, new Response($response->getBody()->text, $response->getStatusCode(), $response->getHeaders()));
    };
}

final class FissionRequest
{
    public function __construct(private readonly Request $request)
    {
    }

    public function getMethod(): string
    {
        return $this->request->method;
    }

    public function getUri(): string
    {
        return $this->request->url();
    }

    public function getRequestTarget(): string
    {
        return $this->request->target;
    }

    public function getHeaders(): array
    {
        return array_map(static fn (string $value): array => [$value], $this->request->headers);
    }

    public function getHeader(string $name): array
    {
        $value = $this->request->header($name);
        return $value === null ? [] : [$value];
    }

    public function getHeaderLine(string $name): string
    {
        return $this->request->header($name) ?? '';
    }

    public function hasHeader(string $name): bool
    {
        return $this->request->header($name) !== null;
    }

    public function getQueryParams(): array
    {
        return $this->request->query;
    }

    public function getCookieParams(): array
    {
        return $this->request->cookies();
    }

    public function getBody(): FissionBody
    {
        $body = new FissionBody();
        $body->write($this->request->body());
        return $body;
    }

    public function getParsedBody(): mixed
    {
        $type = $this->request->header('content-type') ?? '';
        if (str_contains($type, 'json')) return $this->request->json();
        return str_contains($type, 'x-www-form-urlencoded') ? $this->request->form() : null;
    }
}

final class FissionResponse
{
    private int $status = 200;
    private array $headers = [];
    private FissionBody $body;

    public function __construct()
    {
        $this->body = new FissionBody();
    }

    /** Changes this response, since functions for Fission may drop what is returned. */
    public function withStatus(int $status): self
    {
        $this->status = $status;
        return $this;
    }

    public function withHeader(string $name, string|array $value): self
    {
        $this->headers[$name] = $value;
        return $this;
    }

    public function withAddedHeader(string $name, string|array $value): self
    {
        $this->headers[$name] = [...(array) ($this->headers[$name] ?? []), ...(array) $value];
        return $this;
    }

    public function getStatusCode(): int
    {
        return $this->status;
    }

    public function getHeaders(): array
    {
        return $this->headers;
    }

    public function getBody(): FissionBody
    {
        return $this->body;
    }
}

final class FissionBody
{
    public string $text = '';

    public function write(string $text): int
    {
        $this->text .= $text;
        return strlen($text);
    }

    public function getContents(): string
    {
        return $this->text;
    }

    public function __toString(): string
    {
        return $this->text;
    }
}

final class FissionLogger
{
    public function __construct(private readonly Context $context)
    {
    }

    /** info, warning, error and the like. */
    public function __call(string $level, array $arguments): void
    {
        $this->context->error(strtoupper($level) . ': ' . ($arguments[0] ?? ''));
    }
}
