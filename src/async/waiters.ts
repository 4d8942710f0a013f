import type { AsyncCall, Clock } from '../core/index.ts'

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
