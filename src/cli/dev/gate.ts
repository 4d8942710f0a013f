import { AtelierError } from '../../core/index.ts'

const WAITING_MAX = 1_000 // as on the server

/** So many calls at once as the function allows; the others wait in line. */
export class Gate {
  #inside = 0
  readonly #waiting: (() => void)[] = []

  /** TOO_MANY_REQUESTS when the line is full. */
  async enter(most: number): Promise<void> {
    if (this.#inside < most) {
      this.#inside++
      return
    }
    if (this.#waiting.length >= WAITING_MAX)
      throw new AtelierError('TOO_MANY_REQUESTS', `${WAITING_MAX} calls are waiting already.`)
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** Who waits longest gets the place, so that nobody can take it in between. */
  leave(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#inside--
  }
}
