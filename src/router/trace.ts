import { randomBytes } from 'node:crypto'

/** The caller's W3C trace context when it is well formed, else the beginning of a new one (not sampled). */
export function traceparentOf(given: string | undefined): string {
  if (given !== undefined && TRACEPARENT.test(given)) return given
  if (used === block.length) {
    block = randomBytes(12_288).toString('hex')
    used = 0
  }
  const trace = block.slice(used, used + 32)
  const parent = block.slice(used + 32, used + 48)
  used += 48
  return `00-${trace}-${parent}-00`
}

const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/
// Random bytes are drawn in blocks: a draw for each request costs a system call on its way.
let block = ''
let used = 0
