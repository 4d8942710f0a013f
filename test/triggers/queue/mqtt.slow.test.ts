import { setTimeout as sleep } from 'node:timers/promises'
import { connect, connectAsync, type MqttClient } from 'mqtt'
import { type QueueBroker, queueSuite, type ReadMessage } from '../../suites/queue.ts'
import { mosquittoMissing, startMosquitto } from '../../support/brokers/mosquitto.ts'

queueSuite('MQTT', mosquittoMissing, async (): Promise<QueueBroker> => {
  const daemon = await startMosquitto()
  const url = `mqtt://127.0.0.1:${daemon.place.port}`
  const use = async <T>(clientId: string, act: (client: MqttClient) => Promise<T>): Promise<T> => {
    const client = await connectAsync(url, {
      clientId,
      clean: false,
      protocolVersion: 5,
      reconnectPeriod: 0,
      properties: { sessionExpiryInterval: 3_600 },
    })
    try {
      return await act(client)
    } finally {
      await client.endAsync()
    }
  }
  return {
    headers: true,
    repeats: false,
    ids: false,
    mark: 'atelier-redelivered',
    config: name => ({ source: 'mqtt', servers: [url], topic: name }),
    // A topic keeps nothing by itself: a session that is subscribed does.
    make: name =>
      use(`reader-${name}`, client => client.subscribeAsync(name, { qos: 1 })).then(() => undefined),
    publish: (name, messages) =>
      use('publisher', async client => {
        await Promise.all(
          messages.map(({ data, headers = {}, contentType }) =>
            client.publishAsync(name, data, {
              qos: 2,
              properties: {
                ...(Object.keys(headers).length > 0 && { userProperties: headers }),
                ...(contentType !== undefined && { contentType }),
              },
            }),
          ),
        )
      }),
    async read(name, count) {
      const read: ReadMessage[] = []
      const connected = connect(url, {
        clientId: `reader-${name}`,
        clean: false,
        protocolVersion: 5,
        reconnectPeriod: 0,
        properties: { sessionExpiryInterval: 3_600 },
      })
      // Before it connects: the session's messages come at once.
      connected.on('message', (_topic, payload, packet) =>
        read.push({
          data: payload.toString(),
          headers: { ...packet.properties?.userProperties } as Record<string, string>,
        }),
      )
      await connected.subscribeAsync(name, { qos: 1 })
      for (let waited = 0; waited < 100 && read.length < count; waited++) await sleep(20)
      await connected.endAsync()
      return read
    },
    stop: () => daemon.stop('SIGTERM'),
    start: () => daemon.start(),
    close: () => daemon.close(),
  }
})
