<?php
declare(strict_types=1);

namespace Atelier\Shim;

const HELLO = 1, LOAD = 2, LOADED = 3, LOAD_FAILED = 4;
const CALL = 16, RESULT = 17, DATA = 18, WINDOW = 19, CANCEL = 20, FAIL = 21, MESSAGE = 22, LOG = 23;
const PING = 32, PONG = 33, DRAIN = 34;
const END = 1, TEXT = 2;

const DATA_BYTES_MAX = 64 * 1024;
const WINDOW_BYTES = 262_144;
const PAYLOAD_BYTES_MAX = 1024 * 1024;
const MESSAGE_COST_BYTES = 64; // what a WebSocket message takes of the window beside its payload

/** Frames to bytes and back. */
final class Wire
{
    private string $waiting = '';

    /** @param resource $channel */
    public function __construct(private $channel)
    {
        stream_set_read_buffer($channel, 0);
        stream_set_write_buffer($channel, 0);
    }

    public function send(int $kind, int $flags, int $call, string $payload = ''): void
    {
        $data = pack('NCCN', strlen($payload), $kind, $flags, $call) . $payload;
        for ($at = 0, $size = strlen($data); $at < $size; $at += $sent) {
            $sent = @fwrite($this->channel, $at === 0 ? $data : substr($data, $at));
            if ($sent === false || $sent === 0) exit(0); // the platform has gone
        }
    }

    public function result(int $flags, int $call, string $head, string $body = ''): void
    {
        $this->send(RESULT, $flags, $call, pack('N', strlen($head)) . $head . $body);
    }

    /**
     * Every frame that comes within $waitMs (null: until one comes) as [kind, flags, call, payload]; ends the process with the stream.
     * @return list<array{int, int, int, string}>
     */
    public function receive(?float $waitMs): array
    {
        $read = [$this->channel];
        $none = null;
        $seconds = $waitMs === null ? null : intdiv((int) ceil($waitMs * 1000), 1_000_000);
        $micros = $waitMs === null ? null : (int) ceil($waitMs * 1000) % 1_000_000;
        if (@stream_select($read, $none, $none, $seconds, $micros) === 0) return [];
        $chunk = fread($this->channel, DATA_BYTES_MAX);
        if ($chunk === false || $chunk === '') exit(0);
        $data = $this->waiting . $chunk;
        $frames = [];
        for ($at = 0, $size = strlen($data); $size - $at >= 10; $at = $end) {
            ['length' => $length, 'kind' => $kind, 'flags' => $flags, 'call' => $call] =
                unpack('Nlength/Ckind/Cflags/Ncall', $data, $at);
            if ($length > PAYLOAD_BYTES_MAX) exit(1);
            $end = $at + 10 + $length;
            if ($end > $size) break;
            $frames[] = [$kind, $flags, $call, substr($data, $at + 10, $length)];
        }
        $this->waiting = $at === 0 ? $data : substr($data, $at);
        return $frames;
    }

    public function close(): void
    {
        fclose($this->channel);
    }
}
