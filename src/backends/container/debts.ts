import type { Engine } from './engine.ts'

const REMOVE_PAUSE_MS = 2_000
const REMOVE_TRIES_MAX = 150 // five minutes of an engine that is down; then the next sweep has them

/** Containers made and not yet removed, by the engine's ids. */
export class Debts {
  readonly #owed = new Set<string>() // bounded by the instances there are
  readonly #payments = new Set<Promise<void>>() // as many at most
  #closed = false

  add(id: string): void {
    this.#owed.add(id)
  }

  has(id: string): boolean {
    return this.#owed.has(id)
  }

  /** Removes a container now, or while the engine is down again and again in the background; never rejects. */
  pay(engine: Engine, id: string): Promise<void> {
    const payment = this.#pay(engine, id).finally(() => this.#payments.delete(payment))
    this.#payments.add(payment)
    return payment
  }

  /** Waits for what is being removed. What is owed after it is the next sweep's. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all(this.#payments)
  }

  async #pay(engine: Engine, id: string): Promise<void> {
    try {
      await engine.remove(id)
      this.#owed.delete(id)
    } catch {
      this.#later(engine, id, REMOVE_TRIES_MAX)
    }
  }

  #later(engine: Engine, id: string, triesLeft: number): void {
    if (triesLeft === 0 || this.#closed) {
      this.#owed.delete(id)
      return
    }
    const timer = setTimeout(() => {
      engine.remove(id).then(
        () => this.#owed.delete(id),
        () => this.#later(engine, id, triesLeft - 1),
      )
    }, REMOVE_PAUSE_MS)
    timer.unref()
  }
}
