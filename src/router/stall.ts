/** How long a number has stood still, seen by somebody who comes by at intervals: nothing is measured on the way. */
export class Stall {
  #seen: number
  #sinceMs = 0

  constructor(seen = -1) {
    this.#seen = seen
  }

  /** Milliseconds since `value` changed; 0 while nothing is due. */
  forMs(nowMs: number, isDue: boolean, value: number): number {
    if (!isDue || value !== this.#seen) {
      this.#seen = isDue ? value : -1
      this.#sinceMs = nowMs
      return 0
    }
    return nowMs - this.#sinceMs
  }
}
