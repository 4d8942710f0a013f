import { connect } from 'amqplib'
import { rabbitmqMissing, startRabbitmq } from '../../test/support/brokers/rabbitmq.ts'
import type { BenchBroker } from './broker.ts'
import { ANSWERS, EVENTS } from './names.ts'

export const rabbitmq: BenchBroker = {
  name: 'rabbitmq',
  title: 'RabbitMQ',
  missing: async () => rabbitmqMissing,
  async open() {
    const { daemon, close } = await startRabbitmq()
    const url = `amqp://127.0.0.1:${daemon.place.port}`
    const connection = await connect(url)
    const channel = await connection.createConfirmChannel()
    for (const name of [EVENTS, ANSWERS]) await channel.assertQueue(name, { durable: true })
    return {
      config: { source: 'rabbitmq', servers: [url], queue: EVENTS, responseTopic: ANSWERS },
      async publish(messages) {
        for (const each of messages) channel.sendToQueue(EVENTS, Buffer.from(each), { persistent: true })
        await channel.waitForConfirms()
      },
      async read(onAnswer) {
        const own = await connection.createChannel()
        await own.consume(ANSWERS, message => message && onAnswer(message.content.toString()), {
          noAck: true,
        })
      },
      async close() {
        await connection.close()
        await close()
      },
    }
  },
}
