import { createHash } from 'node:crypto'
import type { UrlToken } from '../core/index.ts'

/**
 * Finds the trigger that a URL's token opens. Tokens are held by their digests: looking one up tells nothing, by the time
 * that it takes, of how much of it was right.
 */
export class TokenIndex {
  readonly #byDigest = new Map<string, { readonly id: string; readonly validUntil: number }>()
  readonly #digests = new Map<string, readonly string[]>()

  /** The trigger's tokens are these and no others. */
  set(id: string, tokens: readonly UrlToken[]): void {
    this.delete(id)
    if (tokens.length === 0) return
    const digests = tokens.map(({ token, validUntil = Infinity }) => {
      const digest = digestOf(token)
      this.#byDigest.set(digest, { id, validUntil })
      return digest
    })
    this.#digests.set(id, digests)
  }

  delete(id: string): void {
    for (const digest of this.#digests.get(id) ?? []) this.#byDigest.delete(digest)
    this.#digests.delete(id)
  }

  find(token: string, now: number): string | undefined {
    const found = this.#byDigest.get(digestOf(token))
    return found && now < found.validUntil ? found.id : undefined
  }
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64')
}
