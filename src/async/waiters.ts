import type { AsyncCall, Clock } from '../core/index.ts'

const POLL_MS = 250 // for a call that may run on another node
const POLL_MS_MAX = 5_000

/** Resolves with the call once it has ended, or as it is after `timeoutMs` or when `signal` aborts. */
export async function waitForEnd(
  waiters: Waiters,
  clock: Clock,
  id: string,
  look: () => Promise<AsyncCall>,
  timeoutMs: number,
  mayEndElsewhere: boolean,
  signal: AbortSignal | undefined,
): Promise<AsyncCall> {
  const until = clock.monotonic() + timeoutMs
  const stop = new AbortController()
  const stopped = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal
  // Listening first: it may end while it is looked up.
  const told = waiters.until(id, timeoutMs, stopped)
  try {
    let call = await look()
    let pollMs = mayEndElsewhere ? POLL_MS : timeoutMs
    while (call.endedAt === undefined && clock.monotonic() < until && !stopped.aborted) {
      const pause = waiters.until(`poll ${id}`, Math.min(pollMs, until - clock.monotonic()), stopped)
      call = (await Promise.race([told, pause])) ?? (await look())
      if (mayEndElsewhere) pollMs = Math.min(POLL_MS_MAX, pollMs * 2)
    }
    return call
  } finally {
    stop.abort()
  }
}

/** Who waits for the end of a call here. */
export class Waiters {
  readonly #clock: Clock
  readonly #byId = new Map<string, Set<(call: AsyncCall) => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  tell(call: AsyncCall): void {
    const waiting = this.#byId.get(call.id)
    if (!waiting) return
    this.#byId.delete(call.id)
    for (const resolve of waiting) resolve(call)
  }

  /** Resolves with the call once it has ended, with `undefined` after `timeoutMs` or when `signal` aborts. */
  until(id: string, timeoutMs: number, signal?: AbortSignal): Promise<AsyncCall | undefined> {
    return new Promise(resolve => {
      const done = (call?: AsyncCall): void => {
        stop()
        signal?.removeEventListener('abort', aborted)
        const waiting = this.#byId.get(id)
        waiting?.delete(done)
        if (waiting?.size === 0) this.#byId.delete(id)
        resolve(call)
      }
      const aborted = (): void => done()
      const stop = this.#clock.after(timeoutMs, () => done())
      const waiting = this.#byId.get(id)
      if (waiting) waiting.add(done)
      else this.#byId.set(id, new Set([done]))
      if (signal?.aborted) done()
      else signal?.addEventListener('abort', aborted)
    })
  }
}
