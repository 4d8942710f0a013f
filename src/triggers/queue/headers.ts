import type { Origin } from './messages.ts'
import type { QueueMessage } from './source.ts'

/** Headers of one message that a call gets, and all of their names and values together. */
const HEADERS_MAX = 64
const HEADERS_BYTES_MAX = 16 * 1024

const TOKEN = /^[a-z0-9!#$%&'*+.^_`|~-]{1,128}$/

/** Names that mean something on the way of a call, or that only the platform may write. */
const RESERVED =
  /^(atelier-.*|host|content-(length|type|encoding)|transfer-encoding|connection|keep-alive|te|trailer|upgrade|expect|proxy-.*|x-forwarded-.*|forwarded|authorization|cookie)$/

/**
 * What a function gets as headers (name, value, …): the message's own under their names, as far as they may stand in a
 * call, and what is known of it as `atelier-…`.
 */
export function headersOf(message: QueueMessage, origin: Origin): { headers: string[]; facts: string[] } {
  const facts = ['atelier-source', origin.source, 'atelier-topic', plainText(message.topic)]
  if (message.id !== undefined) facts.push('atelier-message-id', plainText(message.id))
  if (message.key !== undefined) facts.push('atelier-key', plainText(message.key))
  for (const [name, value] of Object.entries(message.facts)) facts.push(`atelier-${name}`, plainText(value))
  const headers: string[] = []
  let bytes = facts.join('').length
  let count = 0
  for (const [name, value] of Object.entries(message.headers)) {
    const lower = name.toLowerCase()
    if (!TOKEN.test(lower) || RESERVED.test(lower)) continue
    const text = plainText(value)
    bytes += lower.length + text.length
    if (++count > HEADERS_MAX || bytes > HEADERS_BYTES_MAX) break
    headers.push(lower, text)
  }
  return { headers, facts }
}

/** A value that may stand in a header: printable ASCII as it is, everything else percent-encoded UTF-8. */
export function plainText(value: string): string {
  return value.replace(/[^\x20-\x7e]+|%(?=[0-9A-Fa-f]{2})/gu, part => encode(part)).trim()
}

function encode(part: string): string {
  return [...Buffer.from(part, 'utf8')]
    .map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}
