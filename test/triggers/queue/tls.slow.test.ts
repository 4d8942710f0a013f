/** Brokers that speak TLS with a certificate of a private authority. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect as connectNats } from '@nats-io/transport-node'
import { Admin } from '@platformatic/kafka'
import { createAddressPolicy } from '../../../src/core/index.ts'
import type { RunningTrigger } from '../../../src/triggers/index.ts'
import { createQueueKind } from '../../../src/triggers/queue/index.ts'
import { aQueueTrigger } from '../../suites/queue.ts'
import { type Certificates, makeCertificates, opensslMissing } from '../../support/brokers/certificates.ts'
import { kafkaMissing, startKafka } from '../../support/brokers/kafka.ts'
import { mosquittoMissing, startMosquitto } from '../../support/brokers/mosquitto.ts'
import { natsMissing, startNats } from '../../support/brokers/nats.ts'
import { RabbitMq, rabbitmqMissing } from '../../support/brokers/rabbitmq.ts'
import { redisMissing, startRedis } from '../../support/brokers/redis.ts'
import { Site } from '../../support/site.ts'
import { TestHost } from './test-host.ts'

const WAIT_MS = 60_000

interface TlsBroker {
  readonly port: number
  close(): Promise<void>
}

interface Kind {
  readonly name: string
  readonly missing: string | undefined
  start(tls: Certificates, site: Site): Promise<TlsBroker>
  config(host: string, port: number): Record<string, unknown>
}

const KINDS: readonly Kind[] = [
  {
    name: 'NATS',
    missing: natsMissing,
    async start(tls) {
      const daemon = await startNats({ tls })
      const { port } = daemon.place
      const connection = await connectNats({ servers: `127.0.0.1:${port}`, tls: { ca: tls.ca } })
      await (await jetstreamManager(connection)).streams.add({ name: 'orders', subjects: ['orders'] })
      await connection.close()
      return { port, close: () => daemon.close() }
    },
    config: (host, port) => ({ source: 'nats', servers: [`nats+tls://${host}:${port}`], stream: 'orders' }),
  },
  {
    name: 'RabbitMQ',
    missing: rabbitmqMissing,
    async start(tls, site) {
      const broker = await RabbitMq.start(site, { tls })
      return { port: broker.port, close: () => broker.stop() }
    },
    config: (host, port) => ({
      source: 'rabbitmq',
      servers: [`amqps://${host}:${port}`],
      queue: 'orders',
      exchange: 'amq.topic',
    }),
  },
  {
    name: 'Kafka',
    missing: await kafkaMissing(),
    async start(tls) {
      const daemon = await startKafka({ tls })
      const admin = new Admin({
        clientId: 'test',
        bootstrapBrokers: [`127.0.0.1:${daemon.place.port}`],
        tls: { ca: tls.ca },
        retries: 100, // it listens before it serves
        retryDelay: 200,
        context: { network: { resolve: async (host: string) => host }, encrypted: true },
      })
      await admin.createTopics({ topics: ['orders'], partitions: 1, replicas: 1 })
      await admin.close()
      return { port: daemon.place.port, close: () => daemon.close() }
    },
    config: (host, port) => ({ source: 'kafka', servers: [`kafka+tls://${host}:${port}`], topic: 'orders' }),
  },
  {
    name: 'MQTT',
    missing: mosquittoMissing,
    async start(tls) {
      const daemon = await startMosquitto({ tls })
      return { port: daemon.place.port, close: () => daemon.close() }
    },
    config: (host, port) => ({ source: 'mqtt', servers: [`mqtts://${host}:${port}`], topic: 'orders' }),
  },
  {
    name: 'Redis',
    missing: redisMissing,
    async start(tls) {
      const daemon = await startRedis({ tls })
      return { port: daemon.place.port, close: () => daemon.close() }
    },
    config: (host, port) => ({ source: 'redis', servers: [`rediss://${host}:${port}`], stream: 'orders' }),
  },
]

for (const { name, missing, start, config } of KINDS)
  describe(`${name} over TLS`, { skip: opensslMissing ?? missing ?? false }, () => {
    let site: Site
    let certificates: Certificates
    let broker: TlsBroker

    before(async () => {
      site = await Site.open('127.0.0.1')
      certificates = await makeCertificates(site.folder)
      broker = await start(certificates, site)
    })
    after(async () => {
      await broker?.close()
      await site?.close()
    })

    const outcome = async (tls: object, host = '127.0.0.1'): Promise<string> => {
      const triggers = new TestHost()
      const trigger = run({ ...config(host, broker.port), tls }, triggers)
      try {
        const end = performance.now() + WAIT_MS
        while (performance.now() < end) {
          if (trigger.view?.().details?.['connection'] === 'connected') return 'connected'
          const [failure] = triggers.failures
          if (failure) return failure.message
          await sleep(20)
        }
        return 'nothing happened'
      } finally {
        await trigger.stop()
      }
    }

    test('a broker is trusted by the authority that the trigger names', async () => {
      assert.equal(await outcome({ ca: certificates.ca }), 'connected')
      assert.equal(await outcome({ ca: certificates.ca }, 'localhost'), 'connected')
    })

    test('a broker whose authority nobody has named is refused, and the message says what to give', async () => {
      assert.match(await outcome({}), /certificate is not signed by anybody who is trusted here.*tls\.ca/)
      assert.match(await outcome({ ca: certificates.otherCa }), /certificate is not signed by anybody/)
    })

    test('a broker with a certificate for another name is refused', async () => {
      const tls = { ca: certificates.ca, serverName: 'broker.example.org' }
      assert.match(await outcome(tls), /certificate is for another name.*tls\.serverName/)
    })
  })

function run(config: Readonly<Record<string, unknown>>, host: TestHost): RunningTrigger {
  const kind = createQueueKind({ addresses: createAddressPolicy({ allow: ['127.0.0.0/8', '::1'] }) })
  const checked = kind.check(config, Date.now())
  assert.ok('config' in checked, JSON.stringify(checked))
  return kind.start(aQueueTrigger('tls', checked.config), host)
}
