/**
 * JSON as Python's `json.dumps` writes it, `", "` and `": "` between things and nothing but ASCII, since that is what functions behind
 * Picasso read. Numbers stay as they were written. `{}` for what is no JSON.
 */
export function payloadOf(body: Buffer): Buffer {
  const text = body.toString()
  try {
    JSON.parse(text)
  } catch {
    return Buffer.from('{}')
  }
  const out = Buffer.allocUnsafe(text.length * UNIT_BYTES_MAX)
  return Buffer.from(out.subarray(0, respace(text, out)))
}

/** What one UTF-16 unit takes at most: `\uXXXX`. */
const UNIT_BYTES_MAX = 6
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const SPACE = 0x20
const LAST_AS_IT_IS = 0x7e

/** Writes valid JSON into `out` and gives its length. Unit by unit: everybody waits while a payload of megabytes is written. */
function respace(text: string, out: Buffer): number {
  let at = 0
  let isInText = false
  let isEscape = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > LAST_AS_IT_IS) {
      at += out.write(`\\u${unit.toString(16).padStart(4, '0')}`, at, 'latin1')
      continue
    }
    if (!isInText && unit <= SPACE) continue
    out[at++] = unit
    if (isInText) {
      if (isEscape) isEscape = false
      else if (unit === BACKSLASH) isEscape = true
      else if (unit === QUOTE) isInText = false
    } else if (unit === QUOTE) isInText = true
    else if (unit === COMMA || unit === COLON) out[at++] = SPACE
  }
  return at
}
