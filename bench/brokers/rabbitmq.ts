import { connect } from 'amqplib'
import { RabbitMq, rabbitmqMissing } from '../../test/support/brokers/rabbitmq.ts'
import { Site } from '../../test/support/site.ts'
import type { BenchBroker } from './broker.ts'
import { ANSWERS, EVENTS } from './names.ts'

export const rabbitmq: BenchBroker = {
  name: 'rabbitmq',
  title: 'RabbitMQ',
  missing: async () => rabbitmqMissing,
  async open() {
    const site = await Site.open()
    const { server, url } = await RabbitMq.start(site).catch(async error => {
      await site.close()
      throw error
    })
    const connection = await connect(url)
    const channel = await connection.createConfirmChannel()
    for (const name of [EVENTS, ANSWERS]) await channel.assertQueue(name, { durable: true })
    return {
      config: { source: 'rabbitmq', servers: [server], queue: EVENTS, responseTopic: ANSWERS },
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
        await site.close()
      },
    }
  },
}
