/**
 * The loop of sources that are asked for messages: asks for as many as may still be in hand, and waits while that is none.
 */
export class PullLoop<T> {
  /** Resolves when nothing comes any more. */
  readonly ended: Promise<void>
  readonly #options: PullLoopOptions<T>
  #inHand = 0
  #max = 0
  #wake: (() => void) | undefined
  #stopped = false

  constructor(options: PullLoopOptions<T>) {
    this.#options = options
    this.ended = this.#run()
  }

  setInHandMax(count: number): void {
    this.#max = count
    if (this.#inHand < count) this.#wake?.()
  }

  /** Counts one message in hand. The function that is returned runs what is given, once, and counts it out. */
  holding(): (act: () => void) => void {
    this.#inHand++
    let done = false
    return act => {
      if (done) return
      done = true
      this.#inHand--
      act()
      if (this.#inHand < this.#max) this.#wake?.()
    }
  }

  stop(): void {
    this.#stopped = true
    this.#wake?.()
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped) {
        const room = this.#max - this.#inHand
        if (room <= 0) {
          await new Promise<void>(resolve => (this.#wake = resolve))
          this.#wake = undefined
          continue
        }
        for await (const message of await this.#options.pull(room)) {
          if (this.#stopped) this.#options.onLeft(message)
          else this.#options.onMessage(message)
        }
      }
    } catch (error) {
      if (!this.#stopped) this.#options.onBroken(error)
    }
  }
}

interface PullLoopOptions<T> {
  /** At most `room` messages; waits for the first one for some seconds at most. */
  pull(room: number): Promise<Iterable<T> | AsyncIterable<T>>
  /** Must call `holding` for it. */
  onMessage(message: T): void
  /** It came after the end. */
  onLeft(message: T): void
  onBroken(error: unknown): void
}
