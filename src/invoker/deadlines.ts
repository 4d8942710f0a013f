import type { Clock } from '../core/index.ts'

/** Something with a deadline. It is its own place in the wheel's lists, so that setting a deadline allocates nothing. */
export abstract class Timed {
  /** Monotonic ms; meaningful while it is in a wheel. */
  due = 0
  bucket = -1
  previous: Timed | undefined
  next: Timed | undefined
  /** The deadline has passed, at most a tick or two ago; never early. It is out of the wheel by then. */
  abstract onDue(): void
}

const BUCKETS = 256

/**
 * Deadlines of all running calls. A timer for each call would be made and thrown away for nearly every call without
 * ever firing; here setting and clearing one is a few pointer writes, and a single coarse timer turns while there are any.
 */
export class DeadlineWheel {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #buckets: (Timed | undefined)[] = Array.from({ length: BUCKETS }, () => undefined)
  #size = 0
  /** Tick up to which everything due has been called; looked at again, since it had only begun. */
  #turned = 0
  #isTurning = false
  readonly #turn = (): void => this.#turnOn()

  constructor(clock: Clock, tickMs: number) {
    this.#clock = clock
    this.#tickMs = tickMs
  }

  get size(): number {
    return this.#size
  }

  /** Calls `timed.onDue` at `due`, or a tick later. Moves it when it has a deadline already. */
  set(timed: Timed, due: number): void {
    if (timed.bucket >= 0) this.clear(timed)
    if (!this.#isTurning) {
      this.#turned = Math.floor(this.#clock.monotonic() / this.#tickMs)
      this.#isTurning = true
      this.#clock.after(this.#tickMs, this.#turn)
    }
    // What is overdue already goes where the wheel looks next.
    const bucket = Math.max(this.#turned, Math.floor(due / this.#tickMs)) % BUCKETS
    const first = this.#buckets[bucket]
    timed.due = due
    timed.bucket = bucket
    timed.previous = undefined
    timed.next = first
    if (first) first.previous = timed
    this.#buckets[bucket] = timed
    this.#size++
  }

  /** Takes `timed` out; nothing happens when it has no deadline. */
  clear(timed: Timed): void {
    if (timed.bucket < 0) return
    if (timed.previous) timed.previous.next = timed.next
    else this.#buckets[timed.bucket] = timed.next
    if (timed.next) timed.next.previous = timed.previous
    timed.previous = timed.next = undefined
    timed.bucket = -1
    this.#size--
  }

  #turnOn(): void {
    const now = this.#clock.monotonic()
    const tick = Math.floor(now / this.#tickMs)
    // After a long pause of the process one full round sees every bucket.
    const from = Math.max(this.#turned, tick - BUCKETS + 1)
    this.#turned = tick
    const due: Timed[] = []
    for (let at = from; at <= tick; at++)
      for (let timed = this.#buckets[at % BUCKETS]; timed; timed = timed.next)
        if (timed.due <= now) due.push(timed)
    for (const timed of due) {
      // One deadline may have cleared or moved another.
      if (timed.bucket < 0 || timed.due > now) continue
      this.clear(timed)
      timed.onDue()
    }
    this.#isTurning = this.#size > 0
    if (this.#isTurning) this.#clock.after(this.#tickMs, this.#turn)
  }
}
