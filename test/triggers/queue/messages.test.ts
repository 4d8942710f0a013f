import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkQueueConfig, type QueueConfig } from '../../../src/triggers/queue/config.ts'
import { eventOf } from '../../../src/triggers/queue/messages.ts'
import { startReader } from '../../../src/triggers/queue/reader.ts'
import type { QueueMessage, SessionEvents } from '../../../src/triggers/queue/source.ts'
import { TestHost } from './test-host.ts'

const ORIGIN = { source: 'kafka', trigger: 't' }
const message = (change: Partial<QueueMessage> = {}): QueueMessage => ({
  id: 'orders/0/1',
  topic: 'orders',
  data: Buffer.from('x'),
  headers: {},
  facts: {},
  ...change,
})

test('a type that cannot stand in a header is not passed on: brokers let anything through', () => {
  const typeOf = (contentType?: string): string =>
    eventOf(message(contentType === undefined ? {} : { contentType }), ORIGIN, 0, 'm1').contentType
  assert.equal(typeOf('text/plain; charset=utf-8'), 'text/plain; charset=utf-8')
  for (const odd of [undefined, '', 'text', 'text/plain\natelier-trigger: other', `a/${'b'.repeat(2_000)}`])
    assert.equal(typeOf(odd), 'application/octet-stream')
})

test('a time that is no date is not taken for that of the event', () => {
  const timeOf = (publishedAt: number): number => eventOf(message({ publishedAt }), ORIGIN, 1_000, 'm1').time
  assert.deepEqual([0, 86_400_000].map(timeOf), [0, 86_400_000])
  // Redis takes any number for the time in an id, Kafka any of 64 bits.
  assert.deepEqual([-1, 2 ** 63, Number.NaN].map(timeOf), [1_000, 1_000, 1_000])
})

test('messages without a key of their own wait for no others, and are accepted', async () => {
  const checked = checkQueueConfig(
    { source: 'kafka', servers: ['kafka://b:9092'], topic: 'orders', delivery: 'async', ordering: 'key' },
    () => [],
  )
  assert.ok('config' in checked)
  const host = new TestHost()
  const acknowledged = Promise.withResolvers<void>()
  const deliver = (events: SessionEvents): void =>
    events.onDelivery({ message: message({ key: '' }), ack: acknowledged.resolve, giveBack() {} })
  const source = {
    open: async (events: SessionEvents) => ({
      setInHandMax: (count: number) => void (count > 0 && setImmediate(deliver, events)),
      publish: async () => {},
      lag: () => undefined,
      close: async () => {},
    }),
  }
  const config = checked.config as unknown as QueueConfig
  const reader = startReader({ config, source, origin: ORIGIN, host })
  await acknowledged.promise
  assert.deepEqual(host.delivered[0]!.options, {})
  await reader.stop()
})
