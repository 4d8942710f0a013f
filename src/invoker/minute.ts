const SECONDS = 60

/**
 * Calls that began within the last minute, by the second: at most `most` in any sixty seconds, neither twice that at the turn of a minute
 * nor one each so many milliseconds.
 */
export class Minute {
  readonly #bySecond = new Uint32Array(SECONDS)
  #sum = 0
  #second = 0

  /** Counts one call at `nowMs` (monotonic) and returns 0; or says for how many seconds there is no room. */
  take(nowMs: number, most: number): number {
    this.#advance(nowMs)
    if (this.#sum >= most) return this.#freeInS(most)
    this.#bySecond[this.#second % SECONDS]!++
    this.#sum++
    return 0
  }

  /** Calls within the last minute. */
  count(nowMs: number): number {
    this.#advance(nowMs)
    return this.#sum
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000)
    const passed = Math.min(SECONDS, second - this.#second)
    for (let i = 1; i <= passed; i++) {
      const at = (second - passed + i) % SECONDS
      this.#sum -= this.#bySecond[at]!
      this.#bySecond[at] = 0
    }
    if (second > this.#second) this.#second = second
  }

  /** Seconds until fewer than `most` are left of those that are counted. */
  #freeInS(most: number): number {
    let left = this.#sum
    for (let ago = SECONDS - 1; ago > 0; ago--) {
      left -= this.#bySecond[(this.#second + SECONDS - ago) % SECONDS]!
      if (left < most) return SECONDS - ago
    }
    return SECONDS
  }
}
