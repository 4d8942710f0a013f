/** The other side is the JavaScript SDK of the CloudEvents project. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HTTP, CloudEvent as SdkEvent } from 'cloudevents'
import * as fc from 'fast-check'
import {
  type CloudEvent,
  parseHttp,
  toBatch,
  toHttpBinary,
  toStructured,
} from '../../src/cloudevents/index.ts'
import { anyEvent } from './arbitrary.ts'

test('the SDK reads our binary messages as we meant them', () => {
  fc.assert(
    fc.property(timed({ plain: true }), event => {
      const { headers, body } = toHttpBinary(event)
      const received = HTTP.toEvent({ headers: record(headers), body: readable(event, body) })
      assert.deepEqual(ofSdk(received as SdkEvent<unknown>), asText(ofOurs(event)))
    }),
  )
})

test('the SDK reads our structured messages and batches as we meant them', () => {
  fc.assert(
    fc.property(fc.array(timed(), { minLength: 1, maxLength: 3 }), events => {
      const one = toStructured(events[0]!)
      const received = HTTP.toEvent({ headers: record(one.headers), body: Buffer.from(one.body).toString() })
      assert.deepEqual(ofSdk(received as SdkEvent<unknown>), ofOurs(events[0]!))
      const batch = toBatch(events)
      const all = HTTP.toEvent({ headers: record(batch.headers), body: Buffer.from(batch.body).toString() })
      assert.deepEqual((all as SdkEvent<unknown>[]).map(ofSdk), events.map(ofOurs))
    }),
  )
})

test('a URI with escapes that a sender did not encode again is what it was', () => {
  const event = new SdkEvent({ id: '1', type: 't', source: '/a%20b', dataschema: 'https://example.org/%00' })
  const { headers } = HTTP.binary(event)
  const parsed = parseHttp(pairs(headers), new Uint8Array(0))
  assert.equal(parsed?.events[0]?.source, '/a%20b')
  assert.equal(parsed?.events[0]?.dataschema, 'https://example.org/%00')
})

test('we read the binary messages of the SDK as it meant them', () => {
  fc.assert(
    fc.property(timed({ plain: true }), event => {
      const { headers, body } = HTTP.binary(sdkEvent(event))
      const parsed = parseHttp(pairs(headers), bytes(body))
      assert.equal(parsed?.mode, 'binary')
      // The SDK's header for an event that says no type.
      const datacontenttype = event.datacontenttype ?? 'application/json; charset=utf-8'
      assert.deepEqual(ofOurs(parsed.events[0]!), asText({ ...ofOurs(event), datacontenttype }))
    }),
  )
})

test('we read the structured messages of the SDK as it meant them', () => {
  fc.assert(
    fc.property(timed(), event => {
      const { headers, body } = HTTP.structured(sdkEvent(event))
      const parsed = parseHttp(pairs(headers), bytes(body))
      assert.equal(parsed?.mode, 'structured')
      assert.deepEqual(ofOurs(parsed.events[0]!), ofOurs(event))
    }),
  )
})

/**
 * What can be compared: the SDK gives every event a time, loses data that is false in JavaScript's eyes, and takes a
 * JSON text that is only a string for the text itself.
 */
function timed(options?: { readonly plain: boolean }): fc.Arbitrary<CloudEvent> {
  return anyEvent(options)
    .filter(
      ({ data, datacontenttype }) => !isJson(datacontenttype) || /^[[{]/.test(Buffer.from(data!).toString()),
    )
    .map(event => ({ time: '2026-01-31T12:00:00.000Z', ...event }))
}

type Flat = Readonly<Record<string, unknown>>

function isJson(type: string | undefined): boolean {
  return type?.includes('json') === true
}

/** The event as one object, its data by value: JSON parsed, text as text, the rest as Base64. */
function ofOurs({ extensions, data, ...attributes }: CloudEvent): Flat {
  const flat = { ...attributes, ...extensions }
  if (!data) return flat
  const buffer = Buffer.from(data)
  const type = attributes.datacontenttype
  const value = isJson(type)
    ? JSON.parse(buffer.toString())
    : buffer.toString(isText(type) ? 'utf8' : 'base64')
  return { ...flat, data: value }
}

function ofSdk(event: SdkEvent<unknown>): Flat {
  const { specversion, data_base64, data, ...attributes } = event.toJSON()
  assert.equal(specversion, '1.0')
  const flat = Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
  if (data_base64 !== undefined) return { ...flat, data: data_base64 }
  if (data === undefined) return flat
  // The SDK leaves types that end in +json as text when they come in the binary mode.
  if (typeof data === 'string' && isJson(event.datacontenttype)) return { ...flat, data: JSON.parse(data) }
  const isBytes = data instanceof Uint8Array
  return { ...flat, data: isBytes ? Buffer.from(data).toString('base64') : data }
}

function sdkEvent({ extensions, data, ...attributes }: CloudEvent): SdkEvent<unknown> {
  const type = attributes.datacontenttype
  const buffer = data && Buffer.from(data)
  const value =
    buffer && (isJson(type) ? JSON.parse(buffer.toString()) : isText(type) ? buffer.toString() : buffer)
  return new SdkEvent({ ...attributes, ...extensions, ...(value !== undefined && { data: value }) })
}

function isText(type: string | undefined): boolean {
  return type === 'text/plain'
}

/** In headers there are no types. */
function asText({ data, ...attributes }: Flat): Flat {
  const text = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, String(value)]))
  return data === undefined ? text : { ...text, data }
}

/** What the SDK is given by servers: text where it is text. */
function readable(event: CloudEvent, body: Uint8Array): unknown {
  if (body.length === 0) return undefined
  const type = event.datacontenttype
  return isJson(type) || isText(type) ? Buffer.from(body).toString() : Buffer.from(body)
}

function record(headers: readonly string[]): Record<string, string> {
  const made: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) made[headers[i]!] = headers[i + 1]!
  return made
}

function pairs(headers: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(headers).flatMap(([name, value]) => [name, String(value)])
}

function bytes(body: unknown): Uint8Array {
  if (body === undefined) return new Uint8Array(0)
  return body instanceof Uint8Array
    ? body
    : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}
