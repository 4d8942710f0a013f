const KEYS_MAX = 10_000
const OLDEST_LOOKED_AT = 64 // of them the one that failed least is forgotten for a new one
const FORGET_MS = 15 * 60_000 // a quarter of an hour without a failure and all is forgiven

/** How many failures are free, and how the wait after each further one grows. */
export interface ThrottlePolicy {
  readonly failuresFree: number
  readonly delayMsMax: number
}

interface Failures {
  count: number
  lastAt: number
}

/** How long to wait after `count` failures in a row: a second, doubled with each, up to a limit. */
export function delayAfter(count: number, policy: ThrottlePolicy): number {
  const beyond = count - policy.failuresFree
  return beyond < 0 ? 0 : Math.min(policy.delayMsMax, 1000 * 2 ** Math.min(beyond, 30))
}

/** Slows down who fails again and again, by key. The clock's time is an argument. */
export class Throttle {
  readonly #policy: ThrottlePolicy
  readonly #failures = new Map<string, Failures>()

  constructor(policy: ThrottlePolicy) {
    this.#policy = policy
  }

  /** How long this key must still wait before it may try; 0 when it may. */
  waitMs(key: string, nowMs: number): number {
    const failures = this.#failures.get(key)
    if (!failures || nowMs - failures.lastAt > FORGET_MS) return 0
    return Math.max(0, failures.lastAt + delayAfter(failures.count, this.#policy) - nowMs)
  }

  /** Counts an attempt as failed when it begins: attempts at once must not all count as the first. */
  begin(key: string, nowMs: number): void {
    const before = this.#failures.get(key)
    const count = before && nowMs - before.lastAt <= FORGET_MS ? before.count : 0
    this.#failures.delete(key)
    if (this.#failures.size >= KEYS_MAX) this.#forgetOne()
    this.#failures.set(key, { count: count + 1, lastAt: nowMs })
  }

  /** The attempt that began came to no answer: it says nothing about anybody. */
  undo(key: string): void {
    const failures = this.#failures.get(key)
    if (failures && --failures.count === 0) this.#failures.delete(key)
  }

  succeed(key: string): void {
    this.#failures.delete(key)
  }

  /** Not simply the oldest: names that nobody has would push out the one that is being guessed at. */
  #forgetOne(): void {
    let least: string | undefined
    let count = Number.POSITIVE_INFINITY
    let looked = 0
    for (const [key, failures] of this.#failures) {
      if (failures.count <= count) {
        least = key
        count = failures.count
      }
      if (++looked === OLDEST_LOOKED_AT) break
    }
    if (least !== undefined) this.#failures.delete(least)
  }
}
