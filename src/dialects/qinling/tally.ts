/**
 * Adds to counters that many want to add to at once: what comes while one is written goes into the next write. A counter is named by a key.
 */
export class Tally {
  readonly #write: (key: string, more: number) => Promise<unknown>
  readonly #waiting = new Map<string, { more: number; done: Promise<unknown> }>()
  readonly #writing = new Map<string, Promise<unknown>>()

  constructor(write: (key: string, more: number) => Promise<unknown>) {
    this.#write = write
  }

  /** Resolves when it is counted. */
  async add(key: string): Promise<void> {
    let turn = this.#waiting.get(key)
    if (turn === undefined) {
      const own: { more: number; done: Promise<unknown> } = { more: 0, done: Promise.resolve() }
      turn = own
      this.#waiting.set(key, own)
      own.done = (this.#writing.get(key) ?? Promise.resolve())
        .catch(() => {})
        .then(() => {
          this.#waiting.delete(key)
          const written = this.#write(key, own.more).finally(() => {
            if (this.#writing.get(key) === written) this.#writing.delete(key)
          })
          this.#writing.set(key, written)
          return written
        })
    }
    turn.more++
    await turn.done
  }
}
