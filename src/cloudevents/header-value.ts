/**
 * Attribute values as header values (HTTP protocol binding, 3.1.3.2): what is outside printable ASCII, spaces, double
 * quotes and percent signs are percent-encoded as UTF-8.
 */
export function encodeHeaderValue(value: string): string {
  return PLAIN.test(value) ? value : value.replace(CODED, character => percentCode(character))
}

/**
 * The value of a header that came as Latin-1: unquoted, then percent-decoded once. A percent sign without two
 * hexadecimal digits stands for itself, since common senders do not encode at all. `undefined`: what it stands for is
 * not UTF-8.
 */
export function decodeHeaderValue(raw: string): string | undefined {
  const value = raw.length > 1 && raw.startsWith('"') && raw.endsWith('"') ? unquoted(raw) : raw
  if (ASCII_WITHOUT_PERCENT.test(value)) return value
  const bytes = value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  try {
    return UTF8.decode(Buffer.from(bytes, 'latin1'))
  } catch {
    return undefined
  }
}

/** Throws TypeError for what is not UTF-8. A byte order mark is a character like others. */
export const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const PLAIN = /^[\x21\x23\x24\x26-\x7e]*$/
const CODED = /[^\x21\x23\x24\x26-\x7e]/gu
const ASCII_WITHOUT_PERCENT = /^[\x20-\x24\x26-\x7e]*$/

function percentCode(character: string): string {
  let code = ''
  for (const byte of Buffer.from(character)) code += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  return code
}

function unquoted(raw: string): string {
  return raw.slice(1, -1).replace(/\\(.)/g, '$1')
}
