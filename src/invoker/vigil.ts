import type { Clock } from '../core/index.ts'

/** So long the thread stays awake for one answer: what a small handler needs, and less than a sleeper's way back costs twice. */
const VIGIL_MS = 0.2
/** And so long after it for the next call of a caller that has but one at a time. */
const NEXT_MS = 0.1
/** After answers that were not worth waiting up for, at most so many calls are not waited for before the next try. */
const SKIPPED_MAX = 64

/**
 * Keeps the thread awake for the answer of a call that is alone in the server's hands. A thread that sleeps has to be
 * woken through another processor, which takes longer than many a handler (in a virtual machine several times longer),
 * and costs as much processor time as the short wait does. Several calls keep each other's thread awake, so only a lone
 * one is waited for; and the slower functions answer, the fewer of their calls are.
 */
export class Vigil {
  readonly #clock: Clock
  readonly #isUseful: boolean
  readonly #turn = () => this.#look()
  #isAwake = false
  #isAnswered = false
  /** Monotonic; 0 when there is nothing to wait for. */
  #until = 0
  #inVain = 0
  #skipped = 0

  /** With a single processor (`processors`, a count) staying awake would keep the code from running, so nothing is waited for. */
  constructor(clock: Clock, processors: number) {
    this.#clock = clock
    this.#isUseful = processors > 1
  }

  /** A call has been sent at `at` (monotonic); with it there are `inHand` calls. */
  begin(at: number, inHand: number): void {
    if (inHand !== 1 || !this.#isUseful) this.#until = 0
    else if (this.#skipped > 0) this.#skipped--
    else {
      this.#until = at + VIGIL_MS
      this.#isAnswered = false
      if (this.#isAwake) return
      this.#isAwake = true
      setImmediate(this.#turn)
    }
  }

  /** A call is over, at `at` (monotonic). */
  end(at: number): void {
    if (this.#until === 0) return
    this.#until = at + NEXT_MS
    this.#isAnswered = true
    this.#inVain = 0
  }

  #look(): void {
    if (this.#until !== 0 && this.#clock.monotonic() < this.#until) {
      setImmediate(this.#turn)
      return
    }
    this.#isAwake = false
    if (this.#until === 0) return
    this.#until = 0
    if (this.#isAnswered) return
    this.#skipped = Math.min(SKIPPED_MAX, 2 ** this.#inVain)
    this.#inVain = Math.min(this.#inVain + 1, 10)
  }
}
