import { AtelierError } from '../core/index.ts'
import {
  type AttributeValue,
  attributesOf,
  type CloudEvent,
  eventOf,
  invalidEvent,
  nameProblem,
  SPEC_VERSION,
} from './event.ts'
import { UTF8 } from './header-value.ts'

/** The JSON event format: one event as a JSON text. */
export function toJson(event: CloudEvent): string {
  const members = [`"specversion":"${SPEC_VERSION}"`]
  for (const [name, value] of attributesOf(event)) members.push(`"${name}":${JSON.stringify(value)}`)
  if (event.data) members.push(dataMember(event.data, event.datacontenttype))
  return `{${members.join(',')}}`
}

/** The event of a value that `parseJson` gave. Throws INVALID_INPUT and names each attribute that is wrong. */
export function fromJson(value: unknown): CloudEvent {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidEvent([{ pointer: '', detail: 'it is not a JSON object' }])
  const attributes = new Map<string, AttributeValue>()
  let data: unknown
  let base64: unknown
  let version: unknown
  for (const [name, member] of Object.entries(value)) {
    // A member that is null is one that is not there (JSON event format, 2.2).
    if (member === null && name !== 'data') continue
    if (name === 'specversion') version = member
    else if (name === 'data') data = member
    else if (name === 'data_base64') base64 = member
    else attributes.set(name, attributeValue(name, member))
  }
  checkVersion(version)
  if (data !== undefined && data !== null && base64 !== undefined)
    throw invalidEvent([{ pointer: 'data_base64', detail: 'cannot stand beside data' }])
  const type = attributes.get('datacontenttype')
  return eventOf(attributes, base64 === undefined ? jsonData(data, type) : decodeBase64(base64))
}

/** A JSON text in UTF-8, its numbers exact however long. Throws INVALID_INPUT. */
export function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(UTF8.decode(body), exactNumbers)
  } catch (error) {
    // A RangeError is a text nested deeper than the stack is.
    const what = error instanceof RangeError ? 'is nested too deeply' : 'is not JSON in UTF-8'
    throw new AtelierError('INVALID_INPUT', `The body ${what}.`)
  }
}

/** Throws INVALID_INPUT unless it is the version that is spoken here. */
export function checkVersion(version: unknown): void {
  if (version === SPEC_VERSION) return
  const detail =
    typeof version === 'string'
      ? `is "${version.slice(0, 20)}"; 1.0 is spoken here`
      : 'is missing or not a string'
  throw invalidEvent([{ pointer: 'specversion', detail }])
}

/** Whether data of this type stands in a JSON event as a value. No type means JSON there. */
export function isJsonType(type: string | undefined): boolean {
  if (type === undefined) return true
  const [essence = ''] = type.split(';', 1)
  return /^(?:[^/]+\/json|[^/]+\/[^/]*\+json)$/i.test(essence.trim())
}

type Reviver = (this: unknown, key: string, value: unknown, context?: { source?: string }) => unknown

/** Numbers that a double cannot hold keep the text they were written in. */
const exactNumbers: Reviver = (_key, value, context) =>
  typeof value !== 'number' || context?.source === undefined || Number.isSafeInteger(value)
    ? value
    : String(value) === context.source
      ? value
      : rawJson(context.source)

function rawJson(source: string): unknown {
  return (JSON as typeof JSON & { rawJSON(text: string): unknown }).rawJSON(source)
}

function attributeValue(name: string, value: unknown): AttributeValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  const detail = nameProblem(name) ?? 'must be a string, a boolean or an integer'
  throw invalidEvent([{ pointer: name.slice(0, 64), detail }])
}

function dataMember(data: Uint8Array, type: string | undefined): string {
  const text = textOf(data)
  // As it was written: spelling and digits are the sender's. A null would be no data where no type says that it is JSON.
  if (
    text !== undefined &&
    isJsonType(type) &&
    isJson(text) &&
    (type !== undefined || text.trim() !== 'null')
  )
    return `"data":${text}`
  return text !== undefined && isTextType(type)
    ? `"data":${JSON.stringify(text)}`
    : `"data_base64":"${Buffer.from(data).toString('base64')}"`
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function textOf(data: Uint8Array): string | undefined {
  try {
    return UTF8.decode(data)
  } catch {
    return undefined
  }
}

function isTextType(type: string | undefined): boolean {
  return type !== undefined && /^(?:text\/|application\/(?:xml|[^;]*\+xml|x-www-form-urlencoded))/i.test(type)
}

/** Bytes of the member `data`; a JSON null is data where the type says JSON. */
function jsonData(value: unknown, type: AttributeValue | undefined): Uint8Array | undefined {
  if (value === undefined) return undefined
  const isJson = isJsonType(type === undefined ? undefined : String(type))
  if (value === null && !(isJson && type !== undefined)) return undefined
  if (!isJson && typeof value === 'string') return Buffer.from(value)
  try {
    return Buffer.from(JSON.stringify(value))
  } catch {
    throw invalidEvent([{ pointer: 'data', detail: 'is nested too deeply' }])
  }
}

function decodeBase64(value: unknown): Uint8Array {
  if (typeof value !== 'string' || value.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw invalidEvent([{ pointer: 'data_base64', detail: 'must be a string in Base64' }])
  return Buffer.from(value, 'base64')
}
