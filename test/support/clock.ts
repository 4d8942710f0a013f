import type { Clock } from '../../src/core/index.ts'

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  nowMs = 1_800_000_000_000
  #jumpedMs = 0
  readonly #timers = new Set<{ readonly at: number; readonly callback: () => void }>()

  now(): number {
    return this.nowMs
  }

  monotonic(): number {
    return this.nowMs - this.#jumpedMs
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.monotonic() + delayMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Somebody sets the wall clock; no time passes. */
  jump(ms: number): void {
    this.nowMs += ms
    this.#jumpedMs += ms
  }

  advance(ms: number): void {
    this.nowMs += ms
    for (const timer of this.#timers) {
      if (timer.at > this.monotonic()) continue
      this.#timers.delete(timer)
      timer.callback()
    }
  }
}
