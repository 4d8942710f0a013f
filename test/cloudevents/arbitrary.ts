import * as fc from 'fast-check'
import type { AttributeValue, CloudEvent } from '../../src/cloudevents/index.ts'
import { anyText } from '../support/any-text.ts'

/** Text that an attribute may hold. */
const text = anyText({ minLength: 1, maxLength: 20 }).filter(
  each => !/[\p{Cc}\p{Noncharacter_Code_Point}]/u.test(each),
)

/** Text that senders without percent-encoding can put into a header, and that means itself. */
const plainText = fc.stringMatching(/^[!#$&-~]{1,20}$/)

/** What a path, a query or a fragment is made of; fast-check's own `webUrl` is slow for the reason that `anyText` tells. */
const uriPart = fc.oneof(
  { weight: 3, arbitrary: fc.stringMatching(/^[\w.~!$&'()*+,;=:@-]{0,10}$/) },
  anyText({ maxLength: 4 }).map(encodeURIComponent),
)
const uri = fc
  .record({
    scheme: fc.constantFrom('http', 'https'),
    host: fc.domain(),
    path: fc.array(uriPart, { maxLength: 4 }),
    query: fc.option(uriPart),
    fragment: fc.option(uriPart),
  })
  .map(({ scheme, host, path, query, fragment }) => {
    const end = `${query === null ? '' : `?${query}`}${fragment === null ? '' : `#${fragment}`}`
    return `${scheme}://${host}${path.map(each => `/${each}`).join('')}${end}`
  })
const time = fc
  .date({ min: new Date('1970-01-01'), max: new Date('2200-01-01'), noInvalidDate: true })
  .map(each => each.toISOString())

const names = fc.stringMatching(/^[a-z][a-z0-9]{0,15}$/).filter(each => !STANDARD.includes(each))

const STANDARD = [
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
  'specversion',
]

const json = fc.jsonValue({ maxDepth: 3 }).filter(each => each !== null)

interface Payload {
  readonly datacontenttype?: string
  readonly data?: Uint8Array
}

const payload: fc.Arbitrary<Payload> = fc.oneof(
  fc.constant({}),
  json.map(value => ({ datacontenttype: 'application/json', data: Buffer.from(JSON.stringify(value)) })),
  json.map(value => ({
    datacontenttype: 'application/problem+json; charset=utf-8',
    data: Buffer.from(JSON.stringify(value)),
  })),
  fc
    .string({ unit: 'grapheme', minLength: 1 })
    .map(value => ({ datacontenttype: 'text/plain', data: Buffer.from(value) })),
  fc
    .uint8Array({ minLength: 1 })
    .map(data => ({ datacontenttype: 'application/octet-stream', data: Buffer.from(data) })),
)

/** Any valid event; with `plain`, one whose attributes need no encoding in a header. */
export function anyEvent(options: { readonly plain?: boolean } = {}): fc.Arbitrary<CloudEvent> {
  const string = options.plain ? plainText : text
  const value: fc.Arbitrary<AttributeValue> = fc.oneof(
    string,
    fc.boolean(),
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  )
  const address = options.plain ? uri.filter(each => !each.includes('%')) : uri
  const attributes = fc.record(
    { id: string, source: address, type: string, subject: string, time, dataschema: address },
    { requiredKeys: ['id', 'source', 'type'] },
  )
  return fc
    .tuple(attributes, fc.dictionary(names, value, { maxKeys: 5, noNullPrototype: true }), payload)
    .map(([known, extensions, data]) => ({ ...known, extensions, ...data }))
}
