import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAddressPolicy } from '../../../src/core/index.ts'
import { createQueueKind } from '../../../src/triggers/queue/index.ts'

const kind = createQueueKind({ addresses: createAddressPolicy() })
const check = (config: object) => kind.check(config as Readonly<Record<string, unknown>>, 0)
const problems = (config: object) => {
  const checked = check(config)
  return 'errors' in checked ? checked.errors.map(each => `${each.pointer} ${each.detail}`) : []
}
const NATS = { source: 'nats', servers: ['nats://n:4222'], stream: 'S' }

test('a configuration is completed with its defaults', () => {
  const checked = check(NATS)
  assert.ok('config' in checked)
  const { delivery, concurrency, batch, retries, ordering, from } = checked.config
  assert.deepEqual(
    { delivery, concurrency, batch, retries, ordering, from },
    {
      delivery: 'call',
      concurrency: 100,
      batch: { size: 1, windowMs: 0 },
      retries: 5,
      ordering: 'none',
      from: 'new',
    },
  )
  const topic = check({ source: 'topic', topic: 'orders' })
  assert.ok('config' in topic)
  assert.equal(topic.config['delivery'], 'async')
})

test('what a source needs, and what does not go with it, is said by field', () => {
  assert.deepEqual(problems({ source: 'kafka' }), [
    'servers is missing: the source "kafka" needs it',
    'topic is missing: the source "kafka" needs it',
  ])
  assert.deepEqual(problems({ source: 'topic', topic: 't', servers: ['nats://n'], queue: 'q' }), [
    'servers does not go with the source "topic", only with nats, rabbitmq, kafka, mqtt, redis',
    'queue does not go with the source "topic", only with rabbitmq',
  ])
  assert.match(
    problems({ ...NATS, delivery: 'async', retries: 3 })[0]!,
    /^retries goes only with delivery "call"/,
  )
})

test('addresses are checked: scheme, place, and no password in them', () => {
  const of = (server: string, source = 'nats') => problems({ ...NATS, source, servers: [server] })[0]
  assert.match(of('broker')!, /servers.0 is not an address like nats:\/\//)
  assert.match(of('http://n')!, /begins with "http:"; this source has nats: and nats\+tls:/)
  assert.match(of('nats://ann:pw@n')!, /must not contain a password/)
  assert.match(of('nats://n:70000')!, /does not name a host and a port/)
  assert.match(of('nats://n?x=1')!, /must not have a query/)
  assert.match(of('nats://n/path')!, /must not have a path/)
  assert.match(of('redis://r/db', 'redis')!, /must end with the number of a database/)
  assert.equal(of('nats://[::1]:4222'), undefined)
  assert.equal(of('redis://r/3', 'redis'), undefined)
})

test('what would go round for ever, or means nothing, is refused', () => {
  const redis = { source: 'redis', servers: ['redis://r'], stream: 's' }
  assert.match(problems({ ...redis, errorTopic: 's' })[0]!, /errorTopic is what the trigger reads/)
  assert.match(problems({ ...redis, responseTopic: 's' })[0]!, /responseTopic is what the trigger reads/)
  assert.match(problems({ ...NATS, token: 't', username: 'u' })[0]!, /token cannot stand beside/)
  assert.match(problems({ ...NATS, password: 'p' })[0]!, /username is missing/)
  assert.match(problems({ ...NATS, tls: { cert: 'c' } })[0]!, /tls must have both cert and key/)
  assert.match(problems({ ...NATS, batch: { size: 1, windowMs: 5 } })[0]!, /batch.size must be at least 2/)
  assert.match(problems({ ...NATS, retryDelayMs: 500, retryDelayMsMax: 100 })[0]!, /retryDelayMsMax is less/)
  assert.match(problems({ ...NATS, filter: [{ sql: 'x' }] })[0]!, /^filter.0/)
})
