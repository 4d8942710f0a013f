import { createClient } from '@redis/client'
import { type QueueBroker, queueSuite } from '../../suites/queue.ts'
import { redisMissing, startRedis } from '../../support/brokers/redis.ts'

queueSuite('Redis streams', redisMissing, async (): Promise<QueueBroker> => {
  const password = 'not a secret'
  const daemon = await startRedis({ password })
  const url = `redis://127.0.0.1:${daemon.place.port}`
  const use = async <T>(
    act: (send: (...args: (string | Buffer)[]) => Promise<unknown>) => Promise<T>,
  ): Promise<T> => {
    const client = createClient({ url, password, RESP: 2 })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return await act((...args) => client.sendCommand(args))
    } finally {
      client.destroy()
    }
  }
  return {
    headers: true,
    repeats: false,
    ids: true,
    config: name => ({ source: 'redis', servers: [url], stream: name, password, from: 'oldest' }),
    make: async () => undefined,
    publish: (name, messages) =>
      use(async send => {
        for (const { data, headers = {}, contentType } of messages) {
          const fields = Object.entries(headers).flat()
          if (contentType !== undefined) fields.push('content-type', contentType)
          await send('XADD', name, '*', 'data', data, ...fields)
        }
      }),
    read: (name, count) =>
      use(async send => {
        const entries = (await send('XRANGE', name, '-', '+')) as [string, string[]][]
        if (entries.length < count) throw new Error(`${entries.length} entries in ${name}`)
        return entries.map(([, fields]) => {
          const found: Record<string, string> = {}
          for (let i = 0; i < fields.length; i += 2) found[fields[i]!] = fields[i + 1]!
          return { data: found['data'] ?? '', headers: found }
        })
      }),
    stop: () => daemon.stop('SIGKILL'),
    start: () => daemon.start(),
    close: () => daemon.close(),
  }
})
