<?php
declare(strict_types=1);

namespace Atelier\Shim;

/** The life of an instance: HELLO, LOAD, calls, DRAIN. One thread; each call is a fiber that yields where it waits. */
final class Instance
{
    public static Instance $the;
    public array $spec = [];
    private ?\Closure $handle = null;
    /** @var array<int, Call> */
    private array $calls = [];
    /** @var array<int, Call> calls that may go on */
    private array $ready = [];
    /** @var array<int, float> when a sleeping call goes on, in milliseconds */
    private array $wakeAt = [];
    private ?Call $current = null;
    private Output $own;
    private bool $draining = false;

    public function __construct(public readonly Wire $wire)
    {
        self::$the = $this;
        $this->own = new Output($wire, 0);
    }

    /** Does not return. */
    public function serve(?string $secret): void
    {
        $hello = ['protocol' => 1, 'shim' => 'php', 'runtime' => PHP_VERSION, 'pid' => getmypid()];
        if ($secret !== null) $hello['secret'] = $secret;
        $this->wire->send(HELLO, 0, 0, json_encode($hello));
        for (;;) {
            $this->pump($this->patienceMs());
            while ($this->ready !== []) {
                $call = array_shift($this->ready);
                if (!$call->over) $this->run($call);
            }
        }
    }

    /** Where output goes now. */
    public function output(): Output
    {
        return $this->current === null ? $this->own : $this->current->output;
    }

    public function currentCall(): ?Call
    {
        return $this->current;
    }

    /** Lets others run until something has come for this call. */
    public function wait(Call $call): void
    {
        if ($call->fiber !== \Fiber::getCurrent()) $this->pump(null); // inside a fiber of the code's own: nobody else can run
        else \Fiber::suspend();
    }

    public function sleep(Call $call, float $ms): void
    {
        $until = now() + $ms;
        while (now() < $until && $call->cancelReason === null) {
            $this->wakeAt[$call->number] = $until;
            if ($call->fiber === \Fiber::getCurrent()) \Fiber::suspend();
            else $this->pump($until - now());
        }
        unset($this->wakeAt[$call->number]);
    }

    /** Takes what has come without waiting: code that computes learns of its cancellation so. */
    public function look(): void
    {
        $this->pump(0);
    }

    public function ended(Call $call): void
    {
        unset($this->calls[$call->number], $this->wakeAt[$call->number]);
        $this->leaveWhenDrained();
    }

    private function run(Call $call): void
    {
        $this->current = $call;
        if ($call->fiber === null) {
            $call->fiber = new \Fiber(function () use ($call): void {
                try {
                    ($this->handle)($call);
                } catch (\Throwable $error) {
                    $call->fail($error);
                }
            });
            $call->fiber->start();
        } elseif ($call->fiber->isSuspended()) $call->fiber->resume();
        $this->current = null;
    }

    /** How long nothing has to be done; null: until something comes. */
    private function patienceMs(): ?float
    {
        $now = now();
        foreach ($this->wakeAt as $number => $at)
            if ($at <= $now) {
                unset($this->wakeAt[$number]);
                $this->ready[$number] = $this->calls[$number];
            }
        if ($this->ready !== []) return 0;
        return $this->wakeAt === [] ? null : max(0, min($this->wakeAt) - $now);
    }

    private function pump(?float $waitMs): void
    {
        foreach ($this->wire->receive($waitMs) as [$kind, $flags, $number, $payload]) {
            if ($kind === CALL) $this->ready[$number] = $this->calls[$number] = new Call($this, $number, $flags, $payload);
            elseif ($number !== 0) {
                $call = $this->calls[$number] ?? null;
                if ($call === null) continue;
                $call->receive($kind, $flags, $payload);
                $this->ready[$number] = $call;
            } elseif ($kind === PING) $this->wire->send(PONG, 0, 0, $payload);
            elseif ($kind === LOAD) $this->load($payload);
            elseif ($kind === DRAIN) {
                $this->draining = true;
                $this->leaveWhenDrained();
            }
        }
    }

    private function leaveWhenDrained(): void
    {
        if ($this->draining && $this->calls === []) exit(0);
    }

    private function load(string $payload): void
    {
        $before = hrtime(true);
        $this->spec = json_decode($payload, true, 64, JSON_THROW_ON_ERROR);
        takeOutput();
        try {
            $this->handle = prepare($this->spec);
        } catch (\Throwable $error) {
            $this->own->finish();
            $this->wire->send(LOAD_FAILED, 0, 0, failure($error));
            exit(1);
        }
        $this->own->finish();
        $this->wire->send(LOADED, 0, 0, json_encode(['initUs' => intdiv(hrtime(true) - $before, 1000)]));
    }
}

function now(): float
{
    return hrtime(true) / 1e6;
}
