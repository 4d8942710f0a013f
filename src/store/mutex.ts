import { AtelierError } from '../core/index.ts'

const WAITING_MAX = 10_000 // writers that may wait; each waits for some transactions of about a millisecond

/** One at a time, in the order of asking. */
export class Mutex {
  readonly #waiting: (() => void)[] = []
  #held = false

  /** Resolves with the function that gives it back. Rejects with UNAVAILABLE at once when too many wait. */
  async acquire(): Promise<() => void> {
    if (this.#held) {
      if (this.#waiting.length >= WAITING_MAX)
        throw new AtelierError('UNAVAILABLE', 'Too many changes are waiting for the store; try again.', {
          retryAfterS: 1,
        })
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    this.#held = true
    return this.#release
  }

  readonly #release = (): void => {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#held = false
  }
}
