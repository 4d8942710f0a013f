import { parseHttp } from '../cloudevents/index.ts'
import { AtelierError, bytesOfBase64, type InputError } from '../core/index.ts'
import { messageOfEvent, type NewMessage } from '../topics/index.ts'
import { invalid } from './input.ts'

/** The type of several messages in our own form. */
export const MESSAGES_TYPE = 'application/vnd.atelier.messages+json'

const ATTRIBUTE = 'atelier-attribute-'

/**
 * The messages of a request: a CloudEvent in any of its modes, several messages as `MESSAGES_TYPE`, or anything else as one
 * message, its id, key and attributes in headers. `headers`: name, value, …
 */
export function readPublication(headers: readonly string[], body: Uint8Array): readonly NewMessage[] {
  const type = valueOf(headers, 'content-type') ?? 'application/octet-stream'
  const key = valueOf(headers, 'atelier-key')
  if (type.toLowerCase().split(';')[0]!.trim() === MESSAGES_TYPE) return readMessages(body)
  const events = parseHttp(headers, body)?.events
  if (events) return events.map(event => messageOfEvent(event, key))
  const id = valueOf(headers, 'atelier-message-id')
  const attributes: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    if (name.startsWith(ATTRIBUTE)) attributes[name.slice(ATTRIBUTE.length)] = headers[i + 1]!
  }
  return [
    {
      ...(id !== undefined && { id }),
      ...(key !== undefined && { key }),
      contentType: type,
      attributes,
      data: body,
    },
  ]
}

function readMessages(body: Uint8Array): readonly NewMessage[] {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw new AtelierError('INVALID_INPUT', 'The body is not valid JSON.')
  }
  if (!Array.isArray(value)) throw invalid([{ pointer: '', detail: 'must be an array of messages' }])
  const errors: InputError[] = []
  const messages = value.map((each: unknown, at) => readMessage(each, `${at}`, errors))
  if (errors.length > 0) throw invalid(errors.slice(0, 20))
  return messages
}

const FIELDS: ReadonlySet<string> = new Set([
  'id',
  'key',
  'contentType',
  'attributes',
  'data',
  'text',
  'base64',
])

function readMessage(value: unknown, at: string, errors: InputError[]): NewMessage {
  const wrong = (field: string, detail: string): void => {
    errors.push({ pointer: field === '' ? at : `${at}.${field}`, detail })
  }
  if (!isObject(value)) wrong('', 'must be an object')
  const given = isObject(value) ? value : {}
  for (const name of Object.keys(given)) if (!FIELDS.has(name)) wrong(name, 'is not a field of a message')
  const text = (name: string): string | undefined => {
    const held = given[name]
    if (held === undefined || typeof held === 'string') return held
    wrong(name, 'must be a string')
    return undefined
  }
  const attributes: Record<string, string> = {}
  const pairs = given['attributes'] ?? {}
  if (!isObject(pairs)) wrong('attributes', 'must be an object')
  for (const [name, held] of isObject(pairs) ? Object.entries(pairs) : [])
    if (typeof held === 'string') attributes[name] = held
    else wrong(`attributes.${name}`, 'must be a string')
  const [id, key, plain, base64] = [text('id'), text('key'), text('text'), text('base64')]
  const ways = ['data', 'text', 'base64'].filter(name => given[name] !== undefined)
  if (ways.length !== 1) wrong('', 'must have one of data (a JSON value), text and base64')
  const bytes = base64 === undefined ? undefined : bytesOfBase64(base64)
  if (base64 !== undefined && !bytes) wrong('base64', 'is not base64')
  const usual =
    plain === undefined
      ? base64 === undefined
        ? 'application/json'
        : 'application/octet-stream'
      : 'text/plain; charset=utf-8'
  return {
    ...(id !== undefined && { id }),
    ...(key !== undefined && { key }),
    contentType: text('contentType') ?? usual,
    attributes,
    data: bytes ?? Buffer.from(plain ?? JSON.stringify(given['data'] ?? null)),
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function valueOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i]!.toLowerCase() === name) return headers[i + 1]
  return undefined
}
