import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type Channel, type ChannelModel, connect } from 'amqplib'
import { AtelierError } from '../../../src/core/index.ts'
import type { RunningTrigger } from '../../../src/triggers/index.ts'
import { createObjectKind } from '../../../src/triggers/object/kind.ts'
import { RabbitMq } from '../../support/brokers/rabbitmq.ts'
import { missing } from '../../support/openstack/programs.ts'
import { until } from '../../support/server-process.ts'
import { Site } from '../../support/site.ts'
import { objectTrigger, ScriptedHost } from './scripted-host.ts'

const skip = missing('rabbitmq')
let site: Site
let broker: RabbitMq

before(async () => {
  if (skip) return
  site = await Site.open()
  broker = await RabbitMq.start(site)
})
after(() => site?.close())

/** What Swift's middleware puts on the bus, by the same means: an exchange that is declared, and texts. */
class Publisher {
  readonly #model: ChannelModel
  readonly channel: Channel

  private constructor(model: ChannelModel, channel: Channel) {
    this.#model = model
    this.channel = channel
  }

  static async open(): Promise<Publisher> {
    const model = await connect(broker.url)
    model.on('error', () => undefined)
    const channel = await model.createChannel()
    await channel.assertExchange('swift', 'topic', { durable: false })
    return new Publisher(model, channel)
  }

  put(object: string, id = object): void {
    const metadata = { path: `v1/AUTH_p1/up/${object}`, version: 'v1', container: 'up', object }
    const target = { id: 'p1', typeURI: 'service/storage/object', action: 'put', metadata }
    const payload = {
      id,
      outcome: 'success',
      eventTime: '2026-01-01T00:00:00.000000',
      initiator: { project_id: 'p1' },
      target,
    }
    const inner = { event_type: 'objectstore.http.request', message_id: id, payload }
    this.text(JSON.stringify({ 'oslo.version': '2.0', 'oslo.message': JSON.stringify(inner) }))
  }

  text(body: string): void {
    this.channel.publish('swift', 'notifications.info', Buffer.from(body), { persistent: true })
  }

  close(): Promise<void> {
    return this.#model.close().catch(() => undefined)
  }
}

function consume(
  host: ScriptedHost,
  more: object = {},
  url = `amqp://${broker.host}:${broker.port}/`,
): RunningTrigger {
  const trigger = objectTrigger({
    source: 'notifications',
    notifications: { url, projects: ['p1'], ...more },
  })
  return createObjectKind({ allows: () => true }).start(trigger, host)
}

/** Waits; the host's clock, by which the consumer comes back, goes on meanwhile. */
function eventually(what: string, host: ScriptedHost, condition: () => boolean): Promise<void> {
  return until(
    what,
    () => {
      if (!condition()) host.clock.advance(1_000)
      return condition()
    },
    120_000,
  )
}

function subjects(host: ScriptedHost): string[] {
  return host.delivered.map(each => each.subject ?? '')
}

test('it waits for the exchange, then tells what comes, and what came while it was away', {
  skip,
}, async () => {
  const host = new ScriptedHost()
  const early = consume(host)
  await until('it says what is missing', () => host.errors.length > 0)
  const [error] = host.errors
  assert.ok(error instanceof AtelierError)
  assert.match(error.message, /^There is no exchange "swift" at the message bus at 127\.[\d.:]+ yet/)
  const publisher = await Publisher.open()
  await eventually('it listens', host, () => host.healthyCount > 0)
  assert.deepEqual(early.view!().details, { connected: true, queue: 'atelier-trg1' })
  publisher.put('a.jpg')
  publisher.put('b.jpg')
  await until('both came', () => host.delivered.length === 2)
  await early.stop()
  publisher.put('c.jpg')
  const later = consume(host)
  await until('the third came', () => host.delivered.length === 3)
  await later.stop()
  assert.deepEqual(subjects(host), ['up/a.jpg', 'up/b.jpg', 'up/c.jpg'])
  await publisher.close()
})

test('what cannot be read is told and does not come again; what is unwanted is counted', {
  skip,
}, async () => {
  const host = new ScriptedHost()
  const publisher = await Publisher.open()
  const running = consume(host, { queue: 'poison' })
  await until('it listens', () => host.healthyCount > 0)
  for (const body of ['', 'no json', '{}', `"${'x'.repeat(1024 * 1024)}"`]) publisher.text(body)
  publisher.text(JSON.stringify({ event_type: 'compute.instance.update', payload: {} }))
  publisher.put('good.jpg')
  await until('the good one came', () => host.delivered.length === 1)
  assert.deepEqual(
    host.errors.map(each => (each as AtelierError).code),
    ['INVALID_INPUT', 'INVALID_INPUT', 'INVALID_INPUT', 'BODY_TOO_LARGE'],
  )
  assert.equal(host.filteredCount, 1)
  await running.stop()
  const { messageCount } = await publisher.channel.checkQueue('poison')
  assert.equal(messageCount, 0)
  await publisher.close()
})

test('a full queue of calls leaves the messages with the broker until there is room', { skip }, async () => {
  const host = new ScriptedHost()
  const publisher = await Publisher.open()
  const running = consume(host, { queue: 'patient' })
  await until('it listens', () => host.healthyCount > 0)
  host.refusals.push(...Array.from({ length: 3 }, () => new AtelierError('TOO_MANY_REQUESTS', 'Full.')))
  publisher.put('a.jpg')
  await until('it was refused', () => host.refusals.length < 3)
  await running.stop()
  assert.equal(host.delivered.length, 0)
  host.refusals.length = 0
  const again = consume(host, { queue: 'patient' })
  await until('it came', () => host.delivered.length === 1)
  await again.stop()
  await publisher.close()
})

test('a broker that is killed and comes back loses nothing that was acknowledged to it', {
  skip,
}, async () => {
  const host = new ScriptedHost()
  const running = consume(host, { queue: 'survivor' })
  let publisher = await Publisher.open()
  await eventually('it listens', host, () => host.healthyCount > 0)
  publisher.put('before.jpg')
  await until('the first came', () => host.delivered.length === 1)
  await broker.kill()
  await until('it says that the bus is gone', () => host.errors.length > 0)
  assert.equal(running.view!().details?.['connected'], false)
  assert.match(
    (host.errors[0] as AtelierError).message,
    /^The message bus at \S+ (is not connected|refuses connections)\.$/,
  )
  await broker.start()
  publisher = await Publisher.open() // declares the exchange, as Swift does: it does not survive
  await eventually('it listens again', host, () => host.healthyCount > 1)
  publisher.put('after.jpg')
  await until('the second came', () => host.delivered.length === 2)
  assert.deepEqual(subjects(host), ['up/before.jpg', 'up/after.jpg'])
  await running.stop()
  await publisher.close()
})

test('messages that were in hand when the connection broke come again with the same id', {
  skip,
}, async () => {
  const host = new ScriptedHost()
  const publisher = await Publisher.open()
  const running = consume(host, { queue: 'twice' })
  await until('it listens', () => host.healthyCount > 0)
  publisher.put('a.jpg', 'same')
  publisher.put('a.jpg', 'same')
  await until('both came', () => host.delivered.length === 2)
  assert.equal(host.delivered[0]!.id, host.delivered[1]!.id)
  await running.stop()
  await publisher.close()
})

test('a user that the broker refuses, and an address that is not allowed, are told in words', {
  skip,
}, async () => {
  const host = new ScriptedHost()
  const refused = consume(host, { username: 'nobody', password: 'wrong-secret' })
  await until('it says so', () => host.errors.length > 0)
  await refused.stop()
  const [error] = host.errors
  assert.ok(error instanceof AtelierError)
  assert.equal(error.code, 'FORBIDDEN')
  assert.match(error.message, /^The user is refused by the message bus at /)
  assert.ok(!error.message.includes('secret'))

  const shy = new ScriptedHost()
  const trigger = objectTrigger({
    source: 'notifications',
    notifications: { url: `amqp://${broker.host}:${broker.port}`, projects: ['p1'] },
  })
  const running = createObjectKind({ allows: () => false }).start(trigger, shy)
  await until('it says so', () => shy.errors.length > 0)
  assert.match((shy.errors[0] as AtelierError).message, /source-allow/)
  await running.stop()
})
