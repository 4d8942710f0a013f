import { createHash } from 'node:crypto'
import { AtelierError } from '../core/index.ts'

/** The hexadecimal part of `sha256:<hex>`; anything else is INVALID_INPUT, so that no digest can name another path. */
export function hexOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
  if (hex === undefined)
    throw new AtelierError(
      'INVALID_INPUT',
      `${JSON.stringify(digest.slice(0, 80))} is not a digest: it looks like sha256: and 64 hexadecimal digits.`,
    )
  return hex
}

/** Hexadecimal key over parts, each with its length, so that no two lists of parts have the same. */
export function keyOf(...parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`)
  return hash.digest('hex')
}
