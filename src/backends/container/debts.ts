import type { Engine } from './engine.ts'

const REMOVE_PAUSE_MS = 2_000
const REMOVE_TRIES_MAX = 150 // five minutes of an engine that is down; then the next sweep has them

/** Containers made and not yet removed, by the engine's ids. */
export class Debts {
  readonly #owed = new Set<string>() // bounded by the instances there are
  #closed = false

  add(id: string): void {
    this.#owed.add(id)
  }

  has(id: string): boolean {
    return this.#owed.has(id)
  }

  /** Removes a container now, or while the engine is down again and again in the background; never rejects. */
  async pay(engine: Engine, id: string): Promise<void> {
    try {
      await engine.remove(id)
      this.#owed.delete(id)
    } catch {
      this.#later(engine, id, REMOVE_TRIES_MAX)
    }
  }

  /** What is still owed is the next sweep's. */
  close(): void {
    this.#closed = true
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
