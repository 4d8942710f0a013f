import type { Clock } from '../core/index.ts'

const JUMP_MS = 1_000 // wall and monotonic clock drift apart by less than this between two looks

/**
 * Wall time for a queue whose entries must neither stand still nor grow old at once when somebody sets the clock.
 *
 * - `dueNow` never goes back while the process lives: what was due stays due.
 * - `ageNow` goes on at the pace of the monotonic clock: after a jump forward nothing has suddenly grown old. It takes
 *   part in a jump back, so that nothing accepted after it lives longer than it may by more than the jump.
 */
export class EventClock {
  readonly #clock: Clock
  #wall: number
  #monotonic: number
  #aheadMs = 0
  #behindMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#wall = clock.now()
    this.#monotonic = clock.monotonic()
  }

  /** What is written down. */
  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  dueNow(): number {
    this.#look()
    return Math.round(this.#wall + this.#aheadMs)
  }

  ageNow(): number {
    this.#look()
    return Math.round(this.#wall - this.#behindMs)
  }

  #look(): void {
    const wall = this.#clock.now()
    const monotonic = this.#clock.monotonic()
    const jumpMs = wall - this.#wall - (monotonic - this.#monotonic)
    this.#wall = wall
    this.#monotonic = monotonic
    if (Math.abs(jumpMs) < JUMP_MS) return
    if (jumpMs < 0) {
      this.#aheadMs -= jumpMs
      this.#behindMs = Math.max(0, this.#behindMs + jumpMs)
    } else {
      this.#aheadMs = Math.max(0, this.#aheadMs - jumpMs)
      this.#behindMs += jumpMs
    }
  }
}
