import type { Clock } from '../core/index.ts'

const IDS_MAX = 10_000

/** Ids of what is being handled or was, for a time and so many of them; forgotten when the server ends. */
export class RecentIds {
  readonly #clock: Clock
  readonly #keptMs: number
  /** Until when; in the order in which they came. */
  readonly #until = new Map<string, number>()

  constructor(clock: Clock, keptMs: number) {
    this.#clock = clock
    this.#keptMs = keptMs
  }

  /** False when one of them is known; else all of them are from now on. */
  begin(ids: readonly string[]): boolean {
    const now = this.#clock.monotonic()
    for (const [id, until] of this.#until) {
      if (until > now && this.#until.size + ids.length <= IDS_MAX) break
      this.#until.delete(id)
    }
    if (ids.some(id => this.#until.has(id))) return false
    for (const id of ids) this.#until.set(id, now + this.#keptMs)
    return true
  }

  /** Whether it is known; then it is known for the whole time from now on. */
  renew(id: string): boolean {
    const until = this.#until.get(id)
    const now = this.#clock.monotonic()
    if (until === undefined || until <= now) return false
    this.#until.delete(id)
    this.#until.set(id, now + this.#keptMs)
    return true
  }

  /** Handled, or to be handled again when it comes again. */
  end(ids: readonly string[], isDone: boolean): void {
    if (!isDone) for (const id of ids) this.#until.delete(id)
  }
}
