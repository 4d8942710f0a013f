import { randomBytes } from 'node:crypto'

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

/**
 * The `traceparent` that the function sees (W3C Trace Context, version 00): the caller's trace with a new span id, or a new
 * trace when there is none or it cannot be read. A new trace is marked as not sampled: whether to record is not ours to say.
 */
export function continueTrace(traceparent: string | undefined): string {
  const match = traceparent === undefined ? null : TRACEPARENT.exec(traceparent)
  if (match === null) return `00-${randomHex(32)}-${randomHex(16)}-00`
  const [, version, trace, span, flags] = match
  const isLegal =
    version !== 'ff' &&
    trace !== NO_TRACE &&
    span !== NO_SPAN &&
    (version !== '00' || traceparent!.length === 55)
  if (!isLegal) return `00-${randomHex(32)}-${randomHex(16)}-00`
  // Of the flags of a later version only "sampled" is known to mean the same.
  const known = version === '00' ? flags : `0${Number.parseInt(flags!, 16) & 1}`
  return `00-${trace}-${randomHex(16)}-${known}`
}

/** `headers` with this trace: names and values in turn, any earlier `traceparent` replaced. */
export function withTrace(headers: readonly string[], traceparent: string): string[] {
  const result: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (headers[i] !== 'traceparent') result.push(headers[i]!, headers[i + 1]!)
  result.push('traceparent', traceparent)
  return result
}

// Drawn in blocks: a draw for each call costs a system call.
let block = ''
let used = 0

function randomHex(characters: number): string {
  if (used + characters > block.length) {
    block = randomBytes(4096).toString('hex')
    used = 0
  }
  used += characters
  return block.slice(used - characters, used)
}
