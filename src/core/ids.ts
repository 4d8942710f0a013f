import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's base 32, in lower case: no i, l, o, u

/**
 * A ULID in lower case: 48 bits of time, 80 random bits; sorts by time. `nowMs` comes from the clock.
 * (github.com/ulid/spec)
 */
export function newId(nowMs: number): string {
  return leastId(nowMs) + randomCharacters()
}

/** The beginning of every id of this time: all of them sort after it, all earlier ones before. */
export function leastId(ms: number): string {
  if (ms === lastMs) return lastTime
  let time = ''
  for (let rest = ms, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time
  lastMs = ms
  return (lastTime = time)
}

/** When an id was made; not a number where it is no id. */
export function timeOfId(id: string): number {
  let ms = 0
  for (let i = 0; i < 10; i++) {
    const digit = i < id.length ? ALPHABET.indexOf(id[i]!) : -1
    if (digit < 0) return Number.NaN
    ms = ms * 32 + digit
  }
  return ms
}

let lastMs = Number.NaN
let lastTime = ''

// Drawn in blocks: a draw for each id costs a system call on a call's way, and so many small strings cost the collector.
let block = ''
let used = 0

function randomCharacters(): string {
  if (used + 16 > block.length) {
    const bytes = randomBytes(4096)
    for (let i = 0; i < bytes.length; i++) bytes[i] = ALPHABET.charCodeAt(bytes[i]! & 31)
    block = bytes.toString('latin1')
    used = 0
  }
  used += 16
  return block.slice(used - 16, used)
}
