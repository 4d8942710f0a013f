import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import {
  type CloudEvent,
  checkFilter,
  type EventFilter,
  filterErrors,
  matches,
} from '../../src/cloudevents/index.ts'

const EVENT: CloudEvent = {
  id: '1',
  source: 'https://example.org/shop',
  type: 'org.example.order.paid',
  subject: 'orders/17',
  extensions: { region: 'eu-1', retries: 3, urgent: true },
}

const CASES: readonly [filter: EventFilter, fits: boolean][] = [
  [{ exact: { type: 'org.example.order.paid' } }, true],
  [{ exact: { type: 'org.example.order.PAID' } }, false],
  [{ exact: { type: 'org.example.order.paid', region: 'eu-1' } }, true],
  [{ exact: { type: 'org.example.order.paid', region: 'eu-2' } }, false],
  [{ exact: { retries: '3', urgent: 'true', specversion: '1.0' } }, true],
  [{ exact: { absent: 'x' } }, false],
  [{ exact: { constructor: 'x' } }, false],
  [{ prefix: { subject: 'orders/' } }, true],
  [{ prefix: { time: '2026' } }, false],
  [{ suffix: { type: '.paid' } }, true],
  [{ suffix: { type: '.lost' } }, false],
  [{ not: { exact: { absent: 'x' } } }, true],
  [{ all: [{ suffix: { type: '.paid' } }, { prefix: { region: 'eu' } }] }, true],
  [{ all: [{ suffix: { type: '.paid' } }, { prefix: { region: 'us' } }] }, false],
  [{ any: [{ suffix: { type: '.lost' } }, { prefix: { region: 'eu' } }] }, true],
  [{ any: [{ suffix: { type: '.lost' } }, { not: { prefix: { region: 'eu' } } }] }, false],
]

test('a filter lets through what fits it', () => {
  for (const [filter, fits] of CASES) {
    assert.deepEqual(filterErrors(filter, '/filter'), [], JSON.stringify(filter))
    assert.equal(matches(filter, EVENT), fits, JSON.stringify(filter))
  }
})

test('not, all and any obey the laws of logic', () => {
  const leaf = fc.constantFrom(...CASES.map(([filter]) => filter))
  fc.assert(
    fc.property(leaf, leaf, (a, b) => {
      assert.equal(
        matches({ not: { any: [a, b] } }, EVENT),
        matches({ all: [{ not: a }, { not: b }] }, EVENT),
      )
    }),
  )
})

test('a filter that cannot be used is refused, and each part is named', () => {
  const bad: [filter: unknown, pointer: string][] = [
    [undefined, '/f'],
    [null, '/f'],
    [[], '/f'],
    [{}, '/f'],
    [{ exact: { a: 'b' }, prefix: { a: 'b' } }, '/f'],
    [{ sql: 'TRUE' }, '/f/sql'],
    [JSON.parse('{"__proto__":{"a":"b"}}'), '/f/__proto__'],
    [{ exact: {} }, '/f/exact'],
    [{ exact: { Type: 'x' } }, '/f/exact/Type'],
    [{ exact: { type: '' } }, '/f/exact/type'],
    [{ exact: { type: 1 } }, '/f/exact/type'],
    [{ all: [] }, '/f/all'],
    [{ any: [{ exact: { a: 'b' } }, { not: [] }] }, '/f/any/1/not'],
    [nested(9), '/f/not/not/not/not/not/not/not/not'],
    [{ any: Array.from({ length: 201 }, () => ({ exact: { a: 'b' } })) }, '/f/any/99/exact'],
  ]
  for (const [filter, pointer] of bad) {
    const errors = filterErrors(filter, '/f')
    assert.ok(
      errors.some(each => each.pointer === pointer),
      `${pointer}: ${JSON.stringify(errors)}`,
    )
    assert.throws(() => checkFilter(filter, '/f'), { code: 'INVALID_INPUT' })
  }
})

function nested(depth: number): object {
  return depth === 1 ? { exact: { a: 'b' } } : { not: nested(depth - 1) }
}
