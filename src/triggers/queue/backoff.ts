/** How waits grow from one attempt to the next. */
export interface Backoff {
  readonly firstMs: number
  readonly maxMs: number
  readonly factor: number
  /** Part of each wait that is left to chance, 0 to 1. */
  readonly jitter: number
}

/** The wait after `failures` failures in a row, at least 1 of them. `chance` is from 0 (inclusive) to 1. */
export function backoffMs(backoff: Backoff, failures: number, chance: number): number {
  const grown = backoff.firstMs * backoff.factor ** Math.max(0, failures - 1)
  const whole = Math.min(backoff.maxMs, grown)
  return Math.round(whole * (1 - backoff.jitter * chance))
}

/** Half of it by chance: servers that lost the same broker do not all come back in the same moment. */
export const RECONNECT: Backoff = { firstMs: 200, maxMs: 30_000, factor: 2, jitter: 0.5 }

/** No room for a call now. */
export const NO_ROOM: Backoff = { firstMs: 50, maxMs: 5_000, factor: 2, jitter: 0.5 }
