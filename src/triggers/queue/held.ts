import type { Clock } from '../../core/index.ts'
import type { Item, Work } from './work.ts'

/** Work between two attempts: each waits for its own time, beside the others. */
export class Held {
  readonly #clock: Clock
  readonly #cancels = new Map<Work, () => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Messages that wait so. */
  get count(): number {
    let count = 0
    for (const work of this.#cancels.keys()) count += work.items.length
    return count
  }

  add(work: Work, waitMs: number, onDue: (work: Work) => void): void {
    const cancel = this.#clock.after(waitMs, () => {
      this.#cancels.delete(work)
      onDue(work)
    })
    this.#cancels.set(work, cancel)
  }

  /** Takes everything out. */
  clear(): Item[] {
    const items = [...this.#cancels.keys()].flatMap(work => work.items)
    for (const cancel of this.#cancels.values()) cancel()
    this.#cancels.clear()
    return items
  }
}
