import { createHash, randomBytes } from 'node:crypto'
import type { Principal } from '../core/index.ts'
import type { AccessRule } from './access-rules.ts'

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

/** What is kept of a token: whom it stands for, and the only requests that it is good for. */
export interface Validated {
  readonly principal: Principal
  readonly accessRules: readonly AccessRule[] | undefined
}

interface Entry {
  readonly validated: Validated
  readonly staleAt: number
}

/** Validated tokens in memory. */
export class TokenCache {
  readonly #entries = new Map<string, Entry>()
  #generation = 0

  /** Never past the token's expiry. */
  get(token: string, nowMs: number): Validated | undefined {
    const entry = this.#entries.get(token)
    if (!entry) return undefined
    if (nowMs < entry.staleAt) return entry.validated
    this.#entries.delete(token)
    return undefined
  }

  /** To be taken before the store is asked, and given to `put`. */
  get generation(): number {
    return this.#generation
  }

  /** Ignored when something was forgotten since `generation`: what was read then may be what was revoked. */
  put(token: string, validated: Validated, generation: number, nowMs: number): void {
    if (generation !== this.#generation) return
    const [oldest] = this.#entries.keys()
    if (this.#entries.size >= ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest)
    this.#entries.set(token, {
      validated,
      staleAt: Math.min(validated.principal.expiresAt, nowMs + ENTRY_MS_MAX),
    })
  }

  forget(token: string): void {
    this.#generation++
    this.#entries.delete(token)
  }

  forgetWhere(matches: (principal: Principal) => boolean): void {
    this.#generation++
    for (const [token, { validated }] of this.#entries)
      if (matches(validated.principal)) this.#entries.delete(token)
  }
}
