import type { Clock } from '../../core/index.ts'

const FRESH_MS = 1_000 // after it, what another node changed is seen
const ENTRIES_MAX = 1_024

/** What was read lately: calls find their route without asking the database each time. */
export class Remembered<T> {
  readonly #clock: Clock
  readonly #read: (key: string) => Promise<T | undefined>
  readonly #entries = new Map<string, { readonly value: T | undefined; readonly readAt: number }>()
  #generation = 0

  constructor(clock: Clock, read: (key: string) => Promise<T | undefined>) {
    this.#clock = clock
    this.#read = read
  }

  /** At most a second old, and never older than the last `forget` of this process. */
  async get(key: string): Promise<T | undefined> {
    const known = this.#entries.get(key)
    const now = this.#clock.monotonic()
    if (known && now - known.readAt < FRESH_MS) return known.value
    const generation = this.#generation
    const value = await this.#read(key)
    if (generation !== this.#generation) return value
    this.#entries.delete(key)
    if (this.#entries.size >= ENTRIES_MAX) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(key, { value, readAt: now })
    return value
  }

  forget(key: string): void {
    this.#generation++
    this.#entries.delete(key)
  }
}
