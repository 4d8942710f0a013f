import type { Clock } from '../../core/index.ts'

const BYTES_PER_MS = 8 * 1024 // of what nobody asked for; an honest instance says far less
const BURST_BYTES = 1024 * 1024
const FRAME_COST_BYTES = 64 // what a frame costs us beside its payload; else empty ones would be free

/**
 * How fast an instance may send frames that no window bounds: logs above all, and what is for no call we know. Each costs
 * the server time that belongs to all, so who sends more of them is read more slowly.
 */
export class Toll {
  readonly #clock: Clock
  #left = BURST_BYTES
  #countedAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#countedAt = clock.monotonic()
  }

  /** Counts a frame. The result says for how many milliseconds nothing should be read now; mostly 0. */
  charge(payloadBytes: number): number {
    this.#left -= payloadBytes + FRAME_COST_BYTES
    if (this.#left >= 0) return 0
    const now = this.#clock.monotonic()
    this.#left = Math.min(BURST_BYTES, this.#left + (now - this.#countedAt) * BYTES_PER_MS)
    this.#countedAt = now
    return this.#left >= 0 ? 0 : Math.ceil(-this.#left / BYTES_PER_MS)
  }
}
