import { createHash, randomBytes } from 'node:crypto'
import type { Principal } from '../core/index.ts'

const ENTRIES_MAX = 10_000 // principals kept; the oldest goes first
const ENTRY_MS_MAX = 60_000 // then it is read again, in case another node revoked it
const TOKEN = /^atl_[A-Za-z0-9_-]{43}$/

/** A new token: 256 random bits behind a mark that secret scanners can find. */
export function newToken(): string {
  return `atl_${randomBytes(32).toString('base64url')}`
}

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

interface Entry {
  readonly principal: Principal
  readonly staleAt: number
}

/** Validated tokens in memory. */
export class TokenCache {
  readonly #entries = new Map<string, Entry>()
  #generation = 0

  /** Never past the token's expiry. */
  get(token: string, nowMs: number): Principal | undefined {
    const entry = this.#entries.get(token)
    if (!entry) return undefined
    if (nowMs < entry.staleAt) return entry.principal
    this.#entries.delete(token)
    return undefined
  }

  /** To be taken before the store is asked, and given to `put`. */
  get generation(): number {
    return this.#generation
  }

  /** Ignored when something was forgotten since `generation`: what was read then may be what was revoked. */
  put(token: string, principal: Principal, generation: number, nowMs: number): void {
    if (generation !== this.#generation) return
    const [oldest] = this.#entries.keys()
    if (this.#entries.size >= ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest)
    this.#entries.set(token, { principal, staleAt: Math.min(principal.expiresAt, nowMs + ENTRY_MS_MAX) })
  }

  forget(token: string): void {
    this.#generation++
    this.#entries.delete(token)
  }

  forgetWhere(matches: (principal: Principal) => boolean): void {
    this.#generation++
    for (const [token, { principal }] of this.#entries) if (matches(principal)) this.#entries.delete(token)
  }
}
