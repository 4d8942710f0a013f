/** What one UTF-16 unit takes at most: `\uXXXX`. */
const UNIT_BYTES_MAX = 6
const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c
const LETTER_U = 0x75
const SPACE = 0x20
const LAST_AS_IT_IS = 0x7e
const HEX = Buffer.from('0123456789abcdef')

/**
 * JSON as Python's `json.dumps` writes it: `", "` and `": "` between things, and nothing but ASCII. Numbers stay as they were written. `text`
 * must be valid. Unit by unit: everybody waits while one of megabytes is written.
 */
export function pythonBytes(text: string): Buffer {
  const out = Buffer.allocUnsafe(text.length * UNIT_BYTES_MAX)
  let at = 0
  let isInText = false
  let isEscape = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > LAST_AS_IT_IS) {
      out[at++] = BACKSLASH
      out[at++] = LETTER_U
      for (let bits = 12; bits >= 0; bits -= 4) out[at++] = HEX[(unit >> bits) & 15]!
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
  return out.subarray(0, at)
}
