import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's base 32, in lower case: no i, l, o, u

/**
 * A ULID in lower case: 48 bits of time, 80 random bits; sorts by time. `nowMs` comes from the clock.
 * (github.com/ulid/spec)
 */
export function newId(nowMs: number): string {
  let time = ''
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time
  return time + randomCharacters()
}

// Random bytes are drawn in blocks: a draw for each id costs a system call on a call's way.
let block = Buffer.alloc(0)
let used = 0

function randomCharacters(): string {
  if (used + 16 > block.length) {
    block = randomBytes(4096)
    used = 0
  }
  let text = ''
  for (let i = 0; i < 16; i++) text += ALPHABET[block[used++]! & 31]
  return text
}
