import { hash } from 'node:crypto'
import type { Clock } from '../core/index.ts'

const IDS_MAX = 10_000

/** Ids of what is being handled or was, for a time and so many of them; forgotten when the server ends. */
export class RecentIds {
  readonly #clock: Clock
  readonly #keptMs: number
  /** By their digest, since senders choose how long they are. Until when; in the order in which they came. */
  readonly #until = new Map<string, number>()

  constructor(clock: Clock, keptMs: number) {
    this.#clock = clock
    this.#keptMs = keptMs
  }

  /** False when one of them is known; else all of them are from now on. */
  begin(ids: readonly string[]): boolean {
    const now = this.#clock.monotonic()
    for (const [key, until] of this.#until) {
      if (until > now && this.#until.size + ids.length <= IDS_MAX) break
      this.#until.delete(key)
    }
    const keys = ids.map(keyOf)
    if (keys.some(key => this.#until.has(key))) return false
    for (const key of keys) this.#until.set(key, now + this.#keptMs)
    return true
  }

  /** Whether it is known; then it is known for the whole time from now on. */
  renew(id: string): boolean {
    const key = keyOf(id)
    const until = this.#until.get(key)
    const now = this.#clock.monotonic()
    if (until === undefined || until <= now) return false
    this.#until.delete(key)
    this.#until.set(key, now + this.#keptMs)
    return true
  }

  /** Handled, or to be handled again when it comes again. */
  end(ids: readonly string[], isDone: boolean): void {
    if (!isDone) for (const id of ids) this.#until.delete(keyOf(id))
  }
}

function keyOf(id: string): string {
  return hash('sha256', id, 'base64')
}
