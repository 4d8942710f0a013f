import { type ConfirmChannel, connect } from 'amqplib'
import { type QueueBroker, queueSuite } from '../../suites/queue.ts'
import { RabbitMq, rabbitmqMissing } from '../../support/brokers/rabbitmq.ts'
import { Site } from '../../support/site.ts'

queueSuite('RabbitMQ', rabbitmqMissing, async (): Promise<QueueBroker> => {
  const site = await Site.open()
  const node = await RabbitMq.start(site)
  const { url } = node
  const use = async <T>(act: (channel: ConfirmChannel) => Promise<T>): Promise<T> => {
    const connection = await connect(url)
    try {
      return await act(await connection.createConfirmChannel())
    } finally {
      await connection.close()
    }
  }
  return {
    headers: true,
    repeats: false,
    ids: false,
    mark: 'atelier-redelivered',
    config: name => ({ source: 'rabbitmq', servers: [node.server], queue: name }),
    make: name => use(channel => channel.assertQueue(name, { durable: true })).then(() => undefined),
    publish: (name, messages) =>
      use(async channel => {
        for (const { data, headers = {}, contentType } of messages)
          channel.sendToQueue(name, Buffer.from(data), {
            persistent: true,
            headers,
            ...(contentType !== undefined && { contentType }),
          })
        await channel.waitForConfirms()
      }),
    read: (name, count) =>
      use(async channel => {
        const read = []
        for (let got = await channel.get(name); got; got = await channel.get(name))
          read.push({
            data: got.content.toString(),
            headers: got.properties.headers as Record<string, string>,
          })
        if (read.length < count) throw new Error(`${read.length} messages in ${name}`)
        return read
      }),
    stop: () => node.stop(),
    start: () => node.start(),
    close: () => site.close(),
  }
})
