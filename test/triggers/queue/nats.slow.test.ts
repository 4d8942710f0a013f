import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection, headers as natsHeaders } from '@nats-io/transport-node'
import { type QueueBroker, queueSuite } from '../../suites/queue.ts'
import { natsMissing, startNats } from '../../support/brokers/nats.ts'

queueSuite('NATS JetStream', natsMissing, async (): Promise<QueueBroker> => {
  const daemon = await startNats()
  const address = `127.0.0.1:${daemon.place.port}`
  const use = async <T>(act: (connection: NatsConnection) => Promise<T>): Promise<T> => {
    const connection = await connect({ servers: address })
    try {
      return await act(connection)
    } finally {
      await connection.close()
    }
  }
  return {
    headers: true,
    repeats: false,
    ids: true,
    mark: 'atelier-deliveries',
    config: name => ({
      source: 'nats',
      servers: [`nats://${address}`],
      stream: name,
      subject: name,
      from: 'oldest',
    }),
    make: name =>
      use(async connection => {
        const manager = await jetstreamManager(connection)
        await manager.streams.add({ name: name, subjects: [name], max_msg_size: 20_000_000 })
      }),
    publish: (name, messages) =>
      use(async connection => {
        const client = jetstream(connection)
        for (const { data, headers = {}, contentType } of messages) {
          const sent = natsHeaders()
          for (const [key, value] of Object.entries(headers)) sent.set(key, value)
          if (contentType !== undefined) sent.set('Content-Type', contentType)
          await client.publish(name, data, { headers: sent })
        }
      }),
    read: (name, count) =>
      use(async connection => {
        const manager = await jetstreamManager(connection)
        const { state } = await manager.streams.info(name)
        if (state.messages < count) throw new Error(`${state.messages} messages in ${name}`)
        const read = []
        for (let seq = 1; seq <= state.last_seq; seq++) {
          const message = await manager.streams.getMessage(name, { seq })
          if (!message) continue
          const found = Object.fromEntries([...message.header].map(([key, values]) => [key, values.join()]))
          read.push({ data: new TextDecoder().decode(message.data), headers: found })
        }
        return read
      }),
    stop: () => daemon.stop('SIGKILL'),
    start: () => daemon.start(),
    close: () => daemon.close(),
  }
})
