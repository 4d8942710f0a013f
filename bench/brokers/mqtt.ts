import { connectAsync } from 'mqtt'
import { mosquittoMissing, startMosquitto } from '../../test/support/brokers/mosquitto.ts'
import type { BenchBroker } from './broker.ts'
import { ANSWERS, EVENTS } from './names.ts'

export const mqtt: BenchBroker = {
  name: 'mqtt',
  title: 'MQTT (Mosquitto)',
  missing: async () => mosquittoMissing,
  async open() {
    const daemon = await startMosquitto()
    const url = `mqtt://127.0.0.1:${daemon.place.port}`
    const client = await connectAsync(url, { protocolVersion: 5 })
    return {
      config: { source: 'mqtt', servers: [url], topic: EVENTS, responseTopic: ANSWERS },
      async publish(messages) {
        await Promise.all(messages.map(each => client.publishAsync(EVENTS, each, { qos: 1 })))
      },
      async read(onAnswer) {
        client.on('message', (_topic, payload) => onAnswer(payload.toString()))
        await client.subscribeAsync(ANSWERS, { qos: 1 })
      },
      async close() {
        await client.endAsync(true)
        await daemon.close()
      },
    }
  },
}
