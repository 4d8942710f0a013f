import { hashToken } from '../tokens.ts'

const ENTRIES_MAX = 10_000
const ENTRY_MS = 5_000 // a role that was just granted must not be missed for long

/** Tokens that Keystone just said to be worth nothing, so that who repeats them does not have it asked each time. */
export class Refusals {
  readonly #until = new Map<string, number>()

  has(token: string, nowMs: number): boolean {
    const until = this.#until.get(hashToken(token))
    return until !== undefined && nowMs < until
  }

  add(token: string, nowMs: number): void {
    const key = hashToken(token)
    this.#until.delete(key)
    const [oldest] = this.#until.keys()
    if (this.#until.size >= ENTRIES_MAX && oldest !== undefined) this.#until.delete(oldest)
    this.#until.set(key, nowMs + ENTRY_MS)
  }
}
