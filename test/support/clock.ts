import type { Clock } from '../../src/core/index.ts'

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  nowMs = 1_800_000_000_000
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>()

  now(): number {
    return this.nowMs
  }

  monotonic(): number {
    return this.nowMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.nowMs + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  advance(ms: number): void {
    this.nowMs += ms
    for (const timer of this.#timers) {
      if (timer.at > this.nowMs) continue
      this.#timers.delete(timer)
      timer.callback()
    }
  }
}
