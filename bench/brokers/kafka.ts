import { Admin, Consumer, Producer } from '@platformatic/kafka'
import { kafkaMissing, startKafka } from '../../test/support/brokers/kafka.ts'
import type { BenchBroker } from './broker.ts'
import { ANSWERS, EVENTS } from './names.ts'

const PARTITIONS = 3

export const kafka: BenchBroker = {
  name: 'kafka',
  title: 'Kafka',
  missing: kafkaMissing,
  async open() {
    const daemon = await startKafka()
    const address = `127.0.0.1:${daemon.place.port}`
    const own = { clientId: 'bench', bootstrapBrokers: [address] }
    const admin = new Admin(own)
    await admin.createTopics({ topics: [EVENTS, ANSWERS], partitions: PARTITIONS, replicas: 1 })
    await admin.close()
    const producer = new Producer(own)
    const consumer = new Consumer({ ...own, groupId: 'bench', maxWaitTime: 200 })
    let next = 0
    return {
      config: {
        source: 'kafka',
        servers: [`kafka://${address}`],
        topic: EVENTS,
        from: 'oldest',
        responseTopic: ANSWERS,
      },
      async publish(messages) {
        await producer.send({
          acks: -1,
          messages: messages.map(each => ({
            topic: EVENTS,
            value: Buffer.from(each),
            partition: next++ % PARTITIONS,
          })),
        })
      },
      async read(onAnswer) {
        const stream = await consumer.consume({ topics: [ANSWERS], mode: 'earliest', autocommit: false })
        void (async () => {
          for await (const { value } of stream) onAnswer(value.toString())
        })().catch(() => undefined) // ends with the consumer
      },
      async close() {
        await producer.close()
        await consumer.close(true)
        await daemon.close()
      },
    }
  },
}
