<?php
declare(strict_types=1);

namespace Atelier\Shim;

const CALL_LOG_BYTES_MAX = 1024 * 1024;
const LINE_BYTES_MAX = 32 * 1024;

/** What one call prints, as LOG frames of whole lines; what is beyond the limit is dropped. */
final class Output
{
    /** @var array<int, string> by stream: 1 stdout, 2 stderr */
    private array $partial = [1 => '', 2 => ''];
    private int $written = 0;

    public function __construct(private readonly Wire $wire, private readonly int $call)
    {
    }

    public function print(int $stream, string $text): void
    {
        if ($this->call !== 0 && $this->written > CALL_LOG_BYTES_MAX) return;
        $text = $this->partial[$stream] . $text;
        $end = strrpos($text, "\n");
        if ($end === false && strlen($text) < LINE_BYTES_MAX) {
            $this->partial[$stream] = $text;
            return;
        }
        $this->partial[$stream] = $end === false ? '' : substr($text, $end + 1);
        $this->send($stream, $end === false ? "$text\n" : substr($text, 0, $end + 1));
    }

    public function finish(): void
    {
        foreach ($this->partial as $stream => $text) {
            if ($text === '') continue;
            $this->partial[$stream] = '';
            $this->send($stream, "$text\n");
        }
    }

    private function send(int $stream, string $lines): void
    {
        $this->written += strlen($lines);
        while ($lines !== '') {
            $size = strlen($lines);
            if ($size > DATA_BYTES_MAX) $size = (strrpos(substr($lines, 0, DATA_BYTES_MAX), "\n") ?: DATA_BYTES_MAX - 1) + 1;
            $this->wire->send(LOG, 0, $this->call, chr($stream) . substr($lines, 0, $size));
            $lines = substr($lines, $size);
        }
    }
}

/** Takes what the code writes to STDOUT and STDERR. */
final class StreamTap extends \php_user_filter
{
    public function filter($in, $out, &$consumed, bool $closing): int
    {
        while ($bucket = stream_bucket_make_writeable($in)) {
            $consumed += $bucket->datalen;
            Instance::$the->output()->print($this->params, $bucket->data);
        }
        return PSFS_FEED_ME;
    }
}

/** Keeps the taps of both streams, or, without arguments, takes them off: what is written goes to the process's own again. */
function releaseStreams(?array $taps = null): void
{
    static $kept = [];
    if ($taps === null) array_map(stream_filter_remove(...), $kept);
    $kept = $taps ?? [];
}

/** From now on, what is printed belongs to the call that runs. */
function takeOutput(): void
{
    stream_filter_register('atelier.tap', StreamTap::class);
    $taps = [
        stream_filter_append(STDOUT, 'atelier.tap', STREAM_FILTER_WRITE, 1),
        stream_filter_append(STDERR, 'atelier.tap', STREAM_FILTER_WRITE, 2),
    ];
    releaseStreams($taps);
    ob_start(function (string $text): string {
        if ($text !== '') Instance::$the->output()->print(1, $text);
        return '';
    }, 1);
    set_error_handler(function (int $level, string $message, string $file, int $line): bool {
        if ((error_reporting() & $level) === 0) return true;
        $kind = match ($level) {
            E_WARNING, E_USER_WARNING => 'Warning',
            E_NOTICE, E_USER_NOTICE => 'Notice',
            E_DEPRECATED, E_USER_DEPRECATED => 'Deprecated',
            default => 'Error',
        };
        Instance::$the->output()->print(2, "$kind: $message in $file:$line\n");
        return true;
    });
}
