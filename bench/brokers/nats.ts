import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { natsMissing, startNats } from '../../test/support/brokers/nats.ts'
import type { BenchBroker } from './broker.ts'
import { ANSWERS, EVENTS } from './names.ts'

export const nats: BenchBroker = {
  name: 'nats',
  title: 'NATS JetStream',
  missing: async () => natsMissing,
  async open() {
    const daemon = await startNats()
    const address = `127.0.0.1:${daemon.place.port}`
    const connection = await connect({ servers: address })
    const manager = await jetstreamManager(connection)
    for (const name of [EVENTS, ANSWERS]) await manager.streams.add({ name, subjects: [name] })
    const client = jetstream(connection)
    return {
      config: {
        source: 'nats',
        servers: [`nats://${address}`],
        stream: EVENTS,
        from: 'oldest',
        responseTopic: ANSWERS,
      },
      async publish(messages) {
        await Promise.all(messages.map(each => client.publish(EVENTS, each)))
      },
      async read(onAnswer) {
        const consumer = await client.consumers.get(ANSWERS)
        const found = await consumer.consume()
        void (async () => {
          for await (const message of found) onAnswer(message.string())
        })().catch(() => undefined) // ends with the connection
      },
      async close() {
        await connection.close()
        await daemon.close()
      },
    }
  },
}
