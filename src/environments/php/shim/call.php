<?php
declare(strict_types=1);

namespace Atelier\Shim;

use Atelier\Cancelled;

const WINDOW_STEP_BYTES = WINDOW_BYTES / 2;
const MESSAGE_CHARACTERS_MAX = 4_000;
const STACK_CHARACTERS_MAX = 32_000;

/** One call: what has come of the request, what may still be sent, and how it ends. Its code runs in a fiber. */
final class Call
{
    public readonly string $id;
    public readonly string $method;
    public readonly string $target;
    public readonly int $deadline;
    /** @var list<string> `name: value` */
    public readonly array $fields;
    public ?\Fiber $fiber = null;
    public ?string $cancelReason = null;
    public ?\Atelier\WebSocket $socket = null;
    public bool $over = false;
    public bool $answered = false;
    public readonly Output $output;
    /** @var list<array{string, bool}> */
    private array $parts;
    private bool $complete;
    private int $consumed = 0;
    private int $credit = WINDOW_BYTES;

    public function __construct(public readonly Instance $instance, public readonly int $number, int $flags, string $payload)
    {
        $size = unpack('N', $payload)[1];
        [$line, $this->id, $deadline, $fields] = explode("\n", substr($payload, 4, $size), 4) + [3 => ''];
        [$this->method, $this->target] = explode(' ', $line, 2);
        $this->deadline = (int) $deadline;
        $this->fields = $fields === '' ? [] : explode("\n", $fields);
        $body = substr($payload, 4 + $size);
        $this->parts = $body === '' ? [] : [[$body, false]];
        $this->complete = ($flags & END) !== 0;
        $this->output = new Output($instance->wire, $number);
    }

    public function header(string $name): ?string
    {
        foreach ($this->fields as $field)
            if (str_starts_with($field, "$name: ")) return substr($field, strlen($name) + 2);
        return null;
    }

    // The request's body

    /** The next piece and whether it is text, for WebSocket messages; null after the last. */
    public function readPart(): ?array
    {
        while ($this->parts === []) {
            $this->throwIfCancelled();
            if ($this->complete || $this->over) return null;
            $this->instance->wait($this);
        }
        $part = array_shift($this->parts);
        $this->consumed(strlen($part[0]) + ($this->socket === null ? 0 : MESSAGE_COST_BYTES));
        return $part;
    }

    private function consumed(int $bytes): void
    {
        if ($this->complete || $this->over) return;
        $this->consumed += $bytes;
        if ($this->consumed < WINDOW_STEP_BYTES) return;
        $this->instance->wire->send(WINDOW, 0, $this->number, pack('N', $this->consumed));
        $this->consumed = 0;
    }

    // The answer

    /** The whole answer, when its body fits the window. */
    public function answer(string $head, string $body): void
    {
        if ($this->begin()) $this->last(fn () => $this->instance->wire->result(END, $this->number, $head, $body));
    }

    /** The head; the body follows through `write` and `end`. */
    public function answerHead(string $head): void
    {
        if ($this->begin()) $this->instance->wire->result(0, $this->number, $head);
    }

    /** Sends a piece of the body, waiting for the window where it is used up. */
    public function write(string $data): void
    {
        for ($at = 0, $size = strlen($data); $at < $size; $at += $bytes) {
            $this->waitForCredit();
            $bytes = min($size - $at, DATA_BYTES_MAX, $this->credit);
            $this->credit -= $bytes;
            $this->instance->wire->send(DATA, 0, $this->number, substr($data, $at, $bytes));
        }
    }

    /** Sends a WebSocket message, which may take the window below zero. */
    public function writeMessage(string $data, bool $text): void
    {
        $this->waitForCredit();
        $this->credit -= strlen($data) + MESSAGE_COST_BYTES;
        $this->instance->wire->send(MESSAGE, $text ? TEXT : 0, $this->number, $data);
    }

    public function end(string $close = ''): void
    {
        $this->last(fn () => $this->instance->wire->send(DATA, END, $this->number, $close));
    }

    public function fail(\Throwable $error): void
    {
        $this->last(fn () => $this->instance->wire->send(FAIL, 0, $this->number, failure($error)));
    }

    /** The last frame: an empty FAIL where the call was cancelled. */
    private function last(\Closure $send): void
    {
        if ($this->over) return;
        $this->output->finish();
        if ($this->cancelReason === null) $send();
        else $this->instance->wire->send(FAIL, 0, $this->number);
        $this->over = true;
        $this->instance->ended($this);
    }

    /** A frame of this call. */
    public function receive(int $kind, int $flags, string $payload): void
    {
        if ($kind === DATA) {
            if ($this->socket !== null && strlen($payload) >= 2) $this->socket->closeCode = unpack('n', $payload)[1];
            elseif ($this->socket === null && $payload !== '') $this->parts[] = [$payload, false];
            if ($flags & END) $this->complete = true;
        } elseif ($kind === WINDOW) $this->credit += unpack('N', $payload)[1];
        elseif ($kind === MESSAGE) $this->parts[] = [$payload, ($flags & TEXT) !== 0];
        elseif ($kind === CANCEL) $this->cancelReason = $payload;
    }

    public function throwIfCancelled(): void
    {
        if ($this->cancelReason !== null) throw new Cancelled($this->cancelReason);
    }

    private function waitForCredit(): void
    {
        $this->throwIfCancelled();
        while ($this->credit <= 0) {
            $this->instance->wait($this);
            $this->throwIfCancelled();
        }
    }

    /** Whether an answer may begin; a cancelled call ends here instead. */
    private function begin(): bool
    {
        if ($this->over || $this->answered) return false;
        $this->throwIfCancelled();
        return $this->answered = true;
    }
}

/** The payload of FAIL and LOAD_FAILED. */
function failure(\Throwable $error): string
{
    $message = $error->getMessage() === '' ? $error::class : $error->getMessage();
    if ($error instanceof \ParseError || $error instanceof \CompileError)
        $message .= sprintf(' (%s:%d)', basename($error->getFile()), $error->getLine());
    return json_encode(
        ['message' => cut($message, MESSAGE_CHARACTERS_MAX), 'stack' => cut((string) $error, STACK_CHARACTERS_MAX)],
        JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES,
    );
}

function cut(string $text, int $bytes): string
{
    return strlen($text) > $bytes ? substr($text, 0, $bytes) : $text;
}
