import { createClient } from '@redis/client'
import { redisMissing, startRedis } from '../../test/support/brokers/redis.ts'
import type { BenchBroker } from './broker.ts'
import { ANSWERS, EVENTS } from './names.ts'

export const redis: BenchBroker = {
  name: 'redis',
  title: 'Redis streams',
  missing: async () => redisMissing,
  async open() {
    const daemon = await startRedis()
    const url = `redis://127.0.0.1:${daemon.place.port}`
    const [writing, reading] = [createClient({ url, RESP: 2 }), createClient({ url, RESP: 2 })]
    for (const each of [writing, reading]) {
      each.on('error', () => undefined) // the commands tell
      await each.connect()
    }
    return {
      config: { source: 'redis', servers: [url], stream: EVENTS, from: 'oldest', responseTopic: ANSWERS },
      async publish(messages) {
        await Promise.all(messages.map(each => writing.sendCommand(['XADD', EVENTS, '*', 'data', each])))
      },
      async read(onAnswer) {
        void (async () => {
          for (let last = '0'; ; ) {
            const ask = ['XREAD', 'COUNT', '1000', 'BLOCK', '500', 'STREAMS', ANSWERS, last]
            const reply = await reading.sendCommand<[string, [string, string[]][]][] | null>(ask)
            for (const [id, fields] of reply?.[0]?.[1] ?? []) {
              onAnswer(fields[fields.indexOf('data') + 1]!)
              last = id
            }
          }
        })().catch(() => undefined) // ends with the connection
      },
      async close() {
        for (const each of [writing, reading]) each.destroy()
        await daemon.close()
      },
    }
  },
}
