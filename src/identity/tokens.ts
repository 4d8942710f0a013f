import { hash, randomBytes } from 'node:crypto'
import type { Principal } from '../core/index.ts'
import type { AccessRule } from './access-rules.ts'

const ENTRIES_MAX = 10_000 // principals kept; the oldest goes first
const TOKEN = /^atl_[A-Za-z0-9_-]{43}$/

/** A new token: 256 random bits behind a mark that secret scanners can find. */
export function newToken(): string {
  return `atl_${randomBytes(32).toString('base64url')}`
}

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

export function hashToken(token: string): string {
  return hash('sha256', token)
}

/** What is kept of a token: whom it stands for, and the only requests that it is good for. */
export interface Validated {
  readonly principal: Principal
  readonly accessRules: readonly AccessRule[] | undefined
}

interface Entry {
  readonly validated: Validated
  /** Until then it is believed. */
  staleAt: number
  /** Until then it is believed if nobody can be asked. */
  readonly deadAt: number
}

export interface TokenCacheOptions {
  /** How long what was read is believed without reading it again: it may be revoked elsewhere meanwhile. */
  readonly freshMs: number
  /** How long besides, when nobody can be asked. @default not at all */
  readonly spareMs?: number
  /** Told when something was forgotten here, for caches of other nodes. */
  readonly onForgotten?: () => void
}

/** Validated tokens in memory, by their hash: who reads our memory finds no token to use. */
export class TokenCache {
  readonly #entries = new Map<string, Entry>()
  readonly #freshMs: number
  readonly #spareMs: number
  readonly #onForgotten: () => void
  #generation = 0

  constructor({ freshMs, spareMs = 0, onForgotten = () => {} }: TokenCacheOptions) {
    this.#freshMs = freshMs
    this.#spareMs = spareMs
    this.#onForgotten = onForgotten
  }

  /** Never past the token's expiry. */
  get(token: string, nowMs: number, hash = hashToken(token)): Validated | undefined {
    const entry = this.#entries.get(hash)
    return entry && nowMs < entry.staleAt ? entry.validated : undefined
  }

  /** When nobody can be asked: what is known of the token from before, and believed again for `againMs`. */
  getSpare(token: string, nowMs: number, againMs: number): Validated | undefined {
    const entry = this.#entries.get(hashToken(token))
    if (!entry || nowMs >= entry.deadAt) return undefined
    entry.staleAt = Math.min(nowMs + againMs, entry.deadAt)
    return entry.validated
  }

  /** To be taken before somebody is asked, and given to `put`. */
  get generation(): number {
    return this.#generation
  }

  /** Ignored when something was forgotten since `generation`: what was read then may be what was revoked. */
  put(token: string, validated: Validated, generation: number, nowMs: number): void {
    if (generation !== this.#generation) return
    const key = hashToken(token)
    this.#entries.delete(key)
    const [oldest] = this.#entries.keys()
    if (this.#entries.size >= ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest)
    const { expiresAt } = validated.principal
    const staleAt = Math.min(expiresAt, nowMs + this.#freshMs)
    this.#entries.set(key, { validated, staleAt, deadAt: Math.min(expiresAt, staleAt + this.#spareMs) })
  }

  /** The token was found to be worth nothing. */
  drop(token: string): void {
    this.#entries.delete(hashToken(token))
  }

  /** The token was revoked here. */
  forget(token: string): void {
    this.#generation++
    this.drop(token)
    this.#onForgotten()
  }

  /** Something was forgotten elsewhere. */
  clear(): void {
    this.#generation++
    this.#entries.clear()
  }

  forgetWhere(matches: (principal: Principal) => boolean): void {
    this.#generation++
    for (const [key, { validated }] of this.#entries)
      if (matches(validated.principal)) this.#entries.delete(key)
    this.#onForgotten()
  }
}
