import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { type QueueBroker, queueSuite, type ReadMessage } from '../../suites/queue.ts'
import { kafkaMissing, startKafka } from '../../support/brokers/kafka.ts'

queueSuite('Kafka', await kafkaMissing(), async (): Promise<QueueBroker> => {
  const daemon = await startKafka()
  const address = `127.0.0.1:${daemon.place.port}`
  const own = {
    clientId: 'test',
    bootstrapBrokers: [address],
    context: { network: { resolve: async (host: string) => host }, encrypted: false },
  }
  let readers = 0
  return {
    headers: true,
    repeats: false,
    ids: true,
    config: name => ({ source: 'kafka', servers: [`kafka://${address}`], topic: name, from: 'oldest' }),
    async make(name) {
      const admin = new Admin(own)
      try {
        const configs = [{ name: 'max.message.bytes', value: '20000000' }]
        await admin.createTopics({ topics: [name], partitions: 3, replicas: 1, configs })
      } finally {
        await admin.close()
      }
    },
    async publish(name, messages) {
      // A broker that was just told of the topic may take a part of them only, and gets them all again.
      const producer = new Producer({ ...own, idempotent: true })
      try {
        await producer.send({
          acks: -1,
          messages: messages.map(({ data, headers = {}, contentType }) => {
            const all = { ...headers, ...(contentType !== undefined && { 'content-type': contentType }) }
            const key = headers['atelier-key']
            return {
              topic: name,
              value: Buffer.from(data),
              headers: new Map(
                Object.entries(all).map(([key, value]) => [Buffer.from(key), Buffer.from(value)]),
              ),
              ...(key !== undefined && { key: Buffer.from(key) }),
            }
          }),
        })
      } finally {
        await producer.close()
      }
    },
    async read(name, count) {
      const consumer = new Consumer({ ...own, groupId: `reader-${++readers}`, maxWaitTime: 200 })
      const stream = await consumer.consume({ topics: [name], mode: 'earliest', autocommit: false })
      const read: ReadMessage[] = []
      for await (const { value, headers } of stream) {
        const found = [...headers].map(([key, text]) => [key.toString(), text.toString()])
        read.push({ data: value.toString(), headers: Object.fromEntries(found) as Record<string, string> })
        if (read.length >= count) break
      }
      await consumer.close(true)
      return read
    },
    stop: () => daemon.stop('SIGTERM'),
    start: () => daemon.start(),
    close: () => daemon.close(),
  }
})
