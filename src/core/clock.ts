/** Time comes in from outside, so that tests can buy it instead of waiting for it. */
export interface Clock {
  /** Milliseconds since the epoch: for what is stored or shown. */
  now(): number
  /** Monotonic milliseconds with fractions: for durations. */
  monotonic(): number
  /** Calls back once after `delayMs`; the returned function cancels. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void
}

/** The machine's own. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
