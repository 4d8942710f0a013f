import { AtelierError } from '../core/index.ts'
import {
  ATTRIBUTES_MAX,
  type AttributeValue,
  attributesOf,
  type CloudEvent,
  eventOf,
  invalidEvent,
  SPEC_VERSION,
} from './event.ts'
import { decodeHeaderValue, encodeHeaderValue } from './header-value.ts'
import { checkVersion, fromJson, parseJson, toJson } from './json.ts'
import { sourceProblem } from './values.ts'

/** An event, or several, as HTTP carries it. Header names are in lower case: name, value, …. */
export interface HttpMessage {
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/** How an HTTP message carries events: in headers and body, as one JSON object, or as a list of them. */
export type ContentMode = 'binary' | 'structured' | 'batch'

/** What a message held. `batch` may be empty; the other modes are one event. */
export interface ParsedMessage {
  readonly mode: ContentMode
  readonly events: readonly CloudEvent[]
}

/** Events of one batch. */
export const BATCH_EVENTS_MAX = 10_000

/** The binary content mode: attributes are headers, the data is the body. */
export function toHttpBinary(event: CloudEvent): HttpMessage {
  const headers = [`${PREFIX}specversion`, SPEC_VERSION]
  for (const [name, value] of attributesOf(event)) {
    if (name === 'datacontenttype') headers.push('content-type', String(value))
    else headers.push(PREFIX + name, encodeHeaderValue(String(value)))
  }
  return { headers, body: event.data ?? NOTHING }
}

/** The structured content mode: the whole event is a JSON text. */
export function toStructured(event: CloudEvent): HttpMessage {
  return { headers: ['content-type', `${STRUCTURED}+json`], body: Buffer.from(toJson(event)) }
}

/** The batched content mode: a JSON array of events. */
export function toBatch(events: readonly CloudEvent[]): HttpMessage {
  return {
    headers: ['content-type', `${BATCH}+json`],
    body: Buffer.from(`[${events.map(toJson).join(',')}]`),
  }
}

/**
 * The events of a request or an answer in any of the modes; `undefined` when it holds none, being ordinary HTTP.
 * Header names may be spelled as they like, values are Latin-1. Throws INVALID_INPUT, naming each attribute that is
 * wrong, UNSUPPORTED_MEDIA_TYPE for an event format other than JSON, BODY_TOO_LARGE for too large a batch.
 */
export function parseHttp(headers: readonly string[], body: Uint8Array): ParsedMessage | undefined {
  const mode = modeOf(headers)
  if (mode === undefined) return undefined
  if (mode === 'binary') return { mode, events: [parseBinary(headers, body)] }
  checkFormat(contentType(headers)!, mode)
  const value = parseJson(body)
  if (mode === 'structured') return { mode, events: [fromJson(value)] }
  if (!Array.isArray(value))
    throw new AtelierError('INVALID_INPUT', 'A batch of CloudEvents is a JSON array.')
  if (value.length > BATCH_EVENTS_MAX)
    throw new AtelierError('BODY_TOO_LARGE', `A batch holds at most ${BATCH_EVENTS_MAX} events.`)
  return { mode, events: value.map(fromJson) }
}

/** Which mode a message says it is in, before anything of it is checked. */
export function modeOf(headers: readonly string[]): ContentMode | undefined {
  const type = contentType(headers)?.toLowerCase()
  if (type?.startsWith(BATCH)) return 'batch'
  if (type?.startsWith(STRUCTURED)) return 'structured'
  return valueOf(headers, `${PREFIX}specversion`) === undefined ? undefined : 'binary'
}

const PREFIX = 'ce-'
const STRUCTURED = 'application/cloudevents'
const BATCH = 'application/cloudevents-batch'
const NOTHING = new Uint8Array(0)

function parseBinary(headers: readonly string[], body: Uint8Array): CloudEvent {
  const attributes = new Map<string, AttributeValue>()
  for (let i = 0; i < headers.length; i += 2) {
    const field = headers[i]!.toLowerCase()
    const name = field === 'content-type' ? 'datacontenttype' : field.slice(PREFIX.length)
    if (name === 'specversion' || (field !== 'content-type' && !field.startsWith(PREFIX))) continue
    if (field === `${PREFIX}datacontenttype`)
      throw invalidEvent([{ pointer: name, detail: 'is the header content-type in this mode' }])
    if (attributes.has(name)) throw invalidEvent([{ pointer: name, detail: 'is there more than once' }])
    const raw = headers[i + 1]!
    const value = name === 'datacontenttype' ? raw : decoded(name, raw)
    if (value === undefined)
      throw invalidEvent([{ pointer: name, detail: 'is not UTF-8 when it is percent-decoded' }])
    attributes.set(name, value)
    if (attributes.size > ATTRIBUTES_MAX)
      throw invalidEvent([{ pointer: '', detail: `it has more than ${ATTRIBUTES_MAX} attributes` }])
  }
  checkVersion(valueOf(headers, `${PREFIX}specversion`))
  return eventOf(attributes, body.length > 0 ? body : undefined)
}

/** Senders that encode nothing put URIs into headers as they are; decoding would break their escapes. */
function decoded(name: string, raw: string): string | undefined {
  const value = decodeHeaderValue(raw)
  const isUri = name === 'source' || name === 'dataschema'
  return isUri && (value === undefined || sourceProblem(value)) && !sourceProblem(raw) ? raw : value
}

function checkFormat(type: string, mode: 'structured' | 'batch'): void {
  const [essence = '', ...parameters] = type.toLowerCase().split(';')
  const base = mode === 'batch' ? BATCH : STRUCTURED
  const format = essence.trim()
  if (format !== `${base}+json` && format !== base)
    throw new AtelierError(
      'UNSUPPORTED_MEDIA_TYPE',
      `Of the formats for CloudEvents, ${base}+json is understood.`,
    )
  for (const parameter of parameters) {
    const charset = /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(parameter)?.[1]
    if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii')
      throw new AtelierError('UNSUPPORTED_MEDIA_TYPE', 'JSON is UTF-8; no other character set is understood.')
  }
}

function contentType(headers: readonly string[]): string | undefined {
  return valueOf(headers, 'content-type')
}

function valueOf(headers: readonly string[], name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2)
    if (headers[i]!.length === name.length && headers[i]!.toLowerCase() === name) return headers[i + 1]
  return undefined
}
