import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type CloudEvent,
  createEvent,
  type HttpMessage,
  parseHttp,
  toBatch,
  toHttpBinary,
  toStructured,
} from '../../src/cloudevents/index.ts'
import { AtelierError } from '../../src/core/index.ts'
import { anyEvent } from './arbitrary.ts'

const BASE = ['ce-specversion', '1.0', 'ce-id', '1', 'ce-source', '/s', 'ce-type', 't']

test('every valid event comes back from the binary mode, its extensions as text', () => {
  fc.assert(
    fc.property(anyEvent(), event => {
      const parsed = parseHttp(...message(toHttpBinary(createEvent(event))))
      assert.equal(parsed?.mode, 'binary')
      const extensions = Object.fromEntries(
        Object.entries(event.extensions).map(([name, value]) => [name, String(value)]),
      )
      assert.deepEqual(parsed?.events.map(plain), [plain({ ...event, extensions })])
    }),
  )
})

test('every valid event comes back from the structured mode and from a batch', () => {
  fc.assert(
    fc.property(fc.array(anyEvent(), { minLength: 1, maxLength: 4 }), events => {
      const one = parseHttp(...message(toStructured(events[0]!)))
      assert.equal(one?.mode, 'structured')
      assert.deepEqual(one?.events.map(plain), [plain(events[0]!)])
      const all = parseHttp(...message(toBatch(events)))
      assert.equal(all?.mode, 'batch')
      assert.deepEqual(all?.events.map(plain), events.map(plain))
    }),
  )
})

test('header values are printable ASCII without spaces and quotes, whatever the attributes hold', () => {
  const { headers } = toHttpBinary(event({ subject: 'Euro € 😀 "50%" a b' }))
  assert.equal(valueOf(headers, 'ce-subject'), 'Euro%20%E2%82%AC%20%F0%9F%98%80%20%2250%25%22%20a%20b')
  fc.assert(
    fc.property(anyEvent(), each => {
      const { headers } = toHttpBinary(each)
      for (let i = 0; i < headers.length; i += 2)
        if (headers[i] !== 'content-type') assert.match(headers[i + 1]!, /^[\x21\x23-\x7e]+$/)
    }),
  )
})

test('a header value may be quoted, raw UTF-8, or have percent signs that code nothing', () => {
  const subject = (value: string): string | undefined =>
    parseHttp([...BASE, 'CE-Subject', value], new Uint8Array(0))?.events[0]?.subject
  assert.equal(subject('"a \\"b\\" %41"'), 'a "b" A')
  assert.equal(subject('%2541'), '%41')
  assert.equal(subject('50% off, 100%'), '50% off, 100%')
  assert.equal(subject(Buffer.from('grün').toString('latin1')), 'grün')
  assert.throws(() => subject('%ff'), problem('subject'))
  assert.throws(() => subject('a%0Ab'), problem('subject'))
})

test('ordinary HTTP is no event', () => {
  assert.equal(parseHttp([], new Uint8Array(0)), undefined)
  assert.equal(parseHttp(['content-type', 'application/json', 'ce-id', '1'], Buffer.from('{}')), undefined)
})

test('data that is JSON keeps its digits and its place', () => {
  const body =
    '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"n":12345678901234567890,"f":1.10}}'
  const [parsed] = structured(body)
  assert.equal(Buffer.from(parsed!.data!).toString(), '{"n":12345678901234567890,"f":1.10}')
  assert.equal(parsed!.datacontenttype, undefined)
  assert.equal(toStructured(parsed!).body.toString(), body)
})

test('data takes the form in JSON that its type asks for', () => {
  const data = (datacontenttype: string | undefined, text: string): object => {
    const made = event({ ...(datacontenttype && { datacontenttype }), data: Buffer.from(text, 'latin1') })
    const { data, data_base64 } = JSON.parse(toStructured(made).body.toString())
    return { data, data_base64 }
  }
  assert.deepEqual(data('application/json', '{"a":1}'), { data: { a: 1 }, data_base64: undefined })
  assert.deepEqual(data(undefined, '[1]'), { data: [1], data_base64: undefined })
  assert.deepEqual(data('application/json', 'not json'), { data: undefined, data_base64: 'bm90IGpzb24=' })
  assert.deepEqual(data('text/xml', '<a/>'), { data: '<a/>', data_base64: undefined })
  assert.deepEqual(data('text/plain', '\xff'), { data: undefined, data_base64: '/w==' })
  assert.deepEqual(data('image/png', 'abc'), { data: undefined, data_base64: 'YWJj' })
  const [text] = structured(json({ datacontenttype: 'text/plain', data: 'hi' }))
  assert.equal(Buffer.from(text!.data!).toString(), 'hi')
  const [odd] = structured(json({ datacontenttype: 'text/plain', data: { a: 1 } }))
  assert.equal(Buffer.from(odd!.data!).toString(), '{"a":1}')
  const [none] = structured(json({ data: null, subject: null }))
  assert.equal(none!.data, undefined)
  assert.equal(none!.subject, undefined)
})

test('what is no event is refused, and the answer names the attribute', () => {
  const bad: [pointer: string, members: object][] = [
    ['specversion', { specversion: '0.3' }],
    ['specversion', { specversion: 1 }],
    ['id', { id: '' }],
    ['id', { id: 7 }],
    ['source', { source: 'not a uri' }],
    ['source', { source: '/a%zz' }],
    ['type', { type: undefined }],
    ['type', { type: 'a\u0000' }],
    ['subject', { subject: '' }],
    ['subject', { subject: '\ud800' }],
    ['time', { time: '2026-02-30T00:00:00Z' }],
    ['time', { time: '2026-01-01' }],
    ['datacontenttype', { datacontenttype: 'json' }],
    ['dataschema', { dataschema: '/relative' }],
    ['Upper', { Upper: 'x' }],
    ['with_line', { with_line: 'x' }],
    ['ext', { ext: { a: 1 } }],
    ['ext', { ext: [] }],
    ['ext', { ext: 1.5 }],
    ['ext', { ext: 2 ** 31 }],
    ['data_base64', { data_base64: 'a' }],
    ['data_base64', { data_base64: 'YQ==', data: 1 }],
    ['__proto__', JSON.parse('{"__proto__":"x"}')],
    ['', Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`x${at}`, 'v']))],
  ]
  for (const [pointer, members] of bad)
    assert.throws(() => structured(json(members)), problem(pointer), JSON.stringify(members))
})

test('a binary message with a doubled, oversized or misplaced attribute is refused', () => {
  const parse = (...more: string[]): unknown => parseHttp([...BASE, ...more], new Uint8Array(0))
  assert.throws(() => parse('ce-id', '2'), problem('id'))
  assert.throws(() => parse('content-type', 'a/b', 'content-type', 'a/c'), problem('datacontenttype'))
  assert.throws(() => parse('ce-datacontenttype', 'a/b'), problem('datacontenttype'))
  assert.throws(() => parse('ce-subject', 'x'.repeat(8_193)), problem('subject'))
  assert.throws(() => parse('ce-', 'x'), problem(''))
  assert.throws(() => parse('ce-a-b', 'x'), problem('a-b'))
  assert.throws(() => parse(...Array.from({ length: 70 }, (_, at) => [`ce-x${at}`, 'v']).flat()), problem(''))
})

test('an extension may have the name of a property that every object has', () => {
  const { events } = parseHttp([...BASE, 'ce-constructor', 'x'], new Uint8Array(0))!
  assert.equal(events[0]!.extensions['constructor'], 'x')
})

test('structured bodies that are hostile are refused without harm', () => {
  const refuse = (type: string, body: string | Uint8Array, code: string): void =>
    assert.throws(
      () => parseHttp(['content-type', type], Buffer.from(body)),
      (error: unknown) => error instanceof AtelierError && error.code === code,
    )
  const JSON_TYPE = 'application/cloudevents+json'
  refuse(JSON_TYPE, '{', 'INVALID_INPUT')
  refuse(JSON_TYPE, '[]', 'INVALID_INPUT')
  refuse(JSON_TYPE, Buffer.from([0x22, 0xff, 0x22]), 'INVALID_INPUT')
  refuse(JSON_TYPE, '['.repeat(1_000_000), 'INVALID_INPUT')
  refuse(JSON_TYPE, `${'['.repeat(500_000)}${']'.repeat(500_000)}`, 'INVALID_INPUT')
  refuse(
    JSON_TYPE,
    json({ data: 0 }).replace(':0}', `:${'['.repeat(100_000)}${']'.repeat(100_000)}}`),
    'INVALID_INPUT',
  )
  refuse('application/cloudevents+avro', '', 'UNSUPPORTED_MEDIA_TYPE')
  refuse(`${JSON_TYPE}; charset=utf-16`, json({}), 'UNSUPPORTED_MEDIA_TYPE')
  refuse('application/cloudevents-batch+json', json({}), 'INVALID_INPUT')
  refuse('application/cloudevents-batch+json', `[${'1,'.repeat(10_000)}1]`, 'BODY_TOO_LARGE')
  assert.deepEqual(parseHttp(['Content-Type', 'application/cloudevents-batch+json'], Buffer.from('[]')), {
    mode: 'batch',
    events: [],
  })
})

test('a media type made to be searched for long is refused at once', () => {
  const type = `a/b${';  \t '.repeat(1_600)}"`
  assert.throws(
    () => parseHttp([...BASE, 'content-type', type], new Uint8Array(0)),
    problem('datacontenttype'),
  )
})

test('times are days of the calendar, with offsets, fractions and leap seconds', () => {
  const good = ['2024-02-29T23:59:59z', '1990-12-31T15:59:60-08:00', '1937-01-01T12:00:27.870001+00:20']
  for (const time of good) assert.equal(createEvent(event({ time })).time, time)
  const bad = [
    '2023-02-29T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '1990-12-31T15:59:60Z',
    '2026-01-01T00:00:00',
    '',
  ]
  for (const time of bad) assert.throws(() => createEvent(event({ time })), problem('time'))
})

function event(more: Partial<CloudEvent>): CloudEvent {
  return { id: '1', source: '/s', type: 't', extensions: {}, ...more }
}

function json(members: object): string {
  return JSON.stringify({ specversion: '1.0', id: '1', source: '/s', type: 't', ...members })
}

function structured(body: string): readonly CloudEvent[] {
  return parseHttp(['content-type', 'application/cloudevents+json; charset=UTF-8'], Buffer.from(body))!.events
}

function message({ headers, body }: HttpMessage): [readonly string[], Uint8Array] {
  return [headers, body]
}

/** Comparable: bytes as text, JSON by value. */
function plain(each: CloudEvent): object {
  const { data, ...attributes } = each
  if (!data) return attributes
  const text = Buffer.from(data).toString('latin1')
  return { ...attributes, data: each.datacontenttype?.includes('json') ? canonical(text) : text }
}

function canonical(text: string): string {
  return JSON.stringify(JSON.parse(text))
}

function valueOf(headers: readonly string[], name: string): string | undefined {
  return headers[headers.indexOf(name) + 1]
}

function problem(pointer: string) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof AtelierError, String(error))
    assert.equal(error.code, 'INVALID_INPUT')
    assert.ok(
      error.errors?.some(each => each.pointer === pointer),
      `${pointer}: ${error.message}`,
    )
    return true
  }
}
