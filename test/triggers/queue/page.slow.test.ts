/** The examples of docs/trigger-queue.md, typed as they are printed, against a whole server and a real broker of each kind. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import { Admin, Producer } from '@platformatic/kafka'
import { createClient } from '@redis/client'
import { connect as connectAmqp } from 'amqplib'
import { connectAsync as connectMqtt } from 'mqtt'
import type { Invocation } from '../../../src/core/index.ts'
import { type Certificates, makeCertificates, opensslMissing } from '../../support/brokers/certificates.ts'
import { kafkaMissing, startKafka } from '../../support/brokers/kafka.ts'
import { mosquittoMissing, startMosquitto } from '../../support/brokers/mosquitto.ts'
import { natsMissing, startNats } from '../../support/brokers/nats.ts'
import { RabbitMq, rabbitmqMissing } from '../../support/brokers/rabbitmq.ts'
import { redisMissing, startRedis } from '../../support/brokers/redis.ts'
import { runExample } from '../../support/doc-example.ts'
import { ServerProcess, until } from '../../support/server-process.ts'
import { Site } from '../../support/site.ts'

const PAGE = 'trigger-queue.md'
const noKafka = await kafkaMissing()
const ARRIVES_MS_MAX = 90_000
/** What the examples without a function of their own call. */
const BILLING =
  'export default async request => { console.log(`order ${await request.text()}`); return "billed" }\n'

interface TriggerSeen {
  readonly status: {
    readonly lastError?: string
    readonly details?: { readonly connection: string; readonly acknowledged: number }
  }
}

suite(`the examples of docs/${PAGE}`, { timeout: 600_000 }, () => {
  let server: ServerProcess
  let site: Site

  before(async () => {
    site = await Site.open('127.0.0.1')
    server = await ServerProcess.start({ flags: ['--source-allow', '127.0.0.0/8,::1'] })
    const folder = await site.folderAt('billing')
    await site.write('billing/index.js', BILLING)
    const deployed = await server.cli('deploy', folder, '--app', 'shop', '--name', 'billing')
    assert.equal(deployed.code, 0, deployed.stderr)
  })
  after(async () => {
    await server?.dispose()
    await site?.close()
  })

  test('NATS: a message of the stream is billed, and one that fails goes to the error topic', {
    skip: natsMissing ?? false,
  }, async t => {
    const daemon = await startNats()
    t.after(() => daemon.close())
    const address = `127.0.0.1:${daemon.place.port}`
    const connection = await connectNats({ servers: address })
    t.after(() => connection.close())
    const { streams } = await jetstreamManager(connection)
    await streams.add({ name: 'ORDERS', subjects: ['orders.>'] })
    await streams.add({ name: 'FAILURES', subjects: ['failures.>'] })
    await example('nats', [['broker.internal:4222', address]])
    await connected('orders')
    const client = jetstream(connection)
    await client.publish('orders.new', '{"number":17}')
    await handled('orders', 1)
    await logged(/order 17/)

    await server.cli('trigger', 'update', 'orders', '-c', 'retries=0')
    await connected('orders')
    await client.publish('orders.new', 'null') // of which the function wants the number
    await until(
      'it went to the error topic',
      async () => (await streams.info('FAILURES')).state.messages === 1,
    )
  })

  test('RabbitMQ: what the exchange routes to the queue is a call, over TLS with a private authority', {
    skip: opensslMissing ?? rabbitmqMissing ?? false,
  }, async t => {
    const certificates = await certificatesIn('amqp')
    const brokers = await Site.open('127.0.0.1')
    t.after(() => brokers.close())
    const password = 'a password of the shop'
    const everything = { configure: '.*', write: '.*', read: '.*' }
    const node = await RabbitMq.start(brokers, {
      tls: certificates,
      definitions: {
        users: [{ name: 'shop', password, tags: '' }],
        vhosts: [{ name: 'shop' }],
        permissions: [{ user: 'shop', vhost: 'shop', ...everything }],
        exchanges: [
          { name: 'events', vhost: 'shop', type: 'topic', durable: true, auto_delete: false, arguments: {} },
        ],
      },
    })
    await example(
      'rabbitmq',
      [
        ['mq.internal', `localhost:${node.port}`],
        ['ca.pem', certificates.caPath],
      ],
      { PASSWORD: password },
    )
    await connected('mails')
    const url = {
      protocol: 'amqps',
      hostname: '127.0.0.1',
      port: node.port,
      username: 'shop',
      password,
      vhost: 'shop',
    }
    const connection = await connectAmqp(url, { ca: [certificates.ca] })
    const channel = await connection.createConfirmChannel()
    channel.publish('events', 'mail.welcome', Buffer.from('{"number":1}'))
    channel.publish('events', 'invoice.paid', Buffer.from('{"number":2}')) // no mail
    channel.publish('events', 'mail.farewell', Buffer.from('{"number":3}'))
    await channel.waitForConfirms()
    await handled('mails', 2)
    await connection.close()
  })

  test('Kafka: a group begins with the oldest message, and gets many in one call', {
    skip: noKafka ?? false,
  }, async t => {
    const daemon = await startKafka()
    t.after(() => daemon.close())
    const address = `127.0.0.1:${daemon.place.port}`
    const own = {
      clientId: 'test',
      bootstrapBrokers: [address],
      context: { network: { resolve: async (host: string) => host }, encrypted: false },
    }
    const admin = new Admin(own)
    await admin.createTopics({ topics: ['clicks'], partitions: 1, replicas: 1 })
    await admin.close()
    const producer = new Producer(own)
    t.after(() => producer.close())
    const publish = (count: number) => {
      const message = { topic: 'clicks', value: Buffer.from('{"number":5}') }
      return producer.send({ acks: -1, messages: Array.from({ length: count }, () => message) })
    }
    await publish(250)
    await example('kafka', [
      ['k1.internal:9092', address],
      ['k2.internal:9092', `localhost:${daemon.place.port}`],
    ])
    await handled('clicks', 250)
    // When the record of a later call is there, those of the earlier ones are.
    const laterMs = Date.now()
    await publish(1)
    const isLater = ({ startedAt }: Invocation): boolean => Date.parse(String(startedAt)) >= laterMs
    await until('the record of the last call is there', async () => (await callsOf('clicks')).some(isLater))
    const calls = (await callsOf('clicks')).filter(each => !isLater(each))
    assert.ok(calls.length < 125, `${calls.length} calls for 250 messages`)
  })

  test('MQTT: what a sensor says is a call, over TLS with a private authority', {
    skip: opensslMissing ?? mosquittoMissing ?? false,
  }, async t => {
    const certificates = await certificatesIn('mqtt')
    const daemon = await startMosquitto({ tls: certificates })
    t.after(() => daemon.close())
    await example('mqtt', [
      ['mqtt.internal', `localhost:${daemon.place.port}`],
      ['ca.pem', certificates.caPath],
    ])
    await connected('sensors')
    const client = await connectMqtt(`mqtts://127.0.0.1:${daemon.place.port}`, { ca: certificates.ca })
    for (const topic of ['sensors/cellar/temperature', 'sensors/cellar/humidity', 'sensors/roof/temperature'])
      await client.publishAsync(topic, '21', { qos: 1 })
    await handled('sensors', 2)
    await client.endAsync()
  })

  test('Redis: the field that the trigger names is the message', { skip: redisMissing ?? false }, async t => {
    const daemon = await startRedis()
    t.after(() => daemon.close())
    const address = `127.0.0.1:${daemon.place.port}`
    await example('redis', [['cache.internal:6379', address]])
    await connected('jobs')
    const client = createClient({ url: `redis://${address}`, RESP: 2 })
    await client.connect()
    await client.sendCommand(['XADD', 'jobs', '*', 'body', '{"number":8}', 'from', 'a test'])
    await handled('jobs', 1)
    await logged(/order (\{"number":)?8/)
    client.destroy()
  })

  async function certificatesIn(name: string): Promise<Certificates> {
    return makeCertificates(await site.folderAt(`certificates-${name}`))
  }

  async function example(
    name: string,
    own: readonly (readonly [string, string])[],
    variables: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { code, stdout, stderr } = await runExample(PAGE, name, server.home, variables, own)
    assert.equal(code, 0, `${stdout}\n${stderr}`)
  }

  async function seen(trigger: string): Promise<TriggerSeen['status']> {
    return (await server.api<TriggerSeen>('GET', `/v1/triggers/${trigger}`)).json.status
  }

  async function connected(trigger: string): Promise<void> {
    let last: TriggerSeen['status'] | undefined
    const isConnected = async (): Promise<boolean> =>
      (last = await seen(trigger)).details?.connection === 'connected'
    await until(`${trigger} is connected`, isConnected, ARRIVES_MS_MAX).catch((error: unknown) => {
      throw new Error(`${trigger}: ${JSON.stringify(last)}`, { cause: error })
    })
  }

  /** Waits until so many messages are acknowledged; each of the trigger's calls must have succeeded. */
  async function handled(trigger: string, count: number): Promise<void> {
    const end = performance.now() + ARRIVES_MS_MAX
    let last = await seen(trigger)
    while ((last.details?.acknowledged ?? 0) < count) {
      assert.ok(performance.now() < end, `${trigger}: ${JSON.stringify(last)}`)
      await sleep(50)
      last = await seen(trigger)
    }
    assert.equal(last.details?.acknowledged, count)
    await until('its calls have records', async () => (await callsOf(trigger)).length > 0)
    assert.ok((await callsOf(trigger)).every(({ status }) => status === 'ok'))
  }

  async function logged(what: RegExp): Promise<void> {
    let said = ''
    await until('the function has said it', async () => {
      said = (await server.cli('logs', 'shop/billing')).stdout
      return what.test(said)
    }).catch((error: unknown) => {
      throw new Error(said, { cause: error })
    })
  }

  async function callsOf(trigger: string): Promise<readonly Invocation[]> {
    const path = `/v1/invocations?limit=1000&trigger=queue&triggerName=${trigger}`
    return (await server.api<{ items: readonly Invocation[] }>('GET', path)).json.items
  }
})
