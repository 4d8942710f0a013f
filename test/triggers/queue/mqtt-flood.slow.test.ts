import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectAsync } from 'mqtt'
import { createAddressPolicy } from '../../../src/core/index.ts'
import { checkQueueConfig, type QueueConfig } from '../../../src/triggers/queue/config.ts'
import { createSourceNetwork } from '../../../src/triggers/queue/network.ts'
import type { Delivery } from '../../../src/triggers/queue/source.ts'
import { mqttSource } from '../../../src/triggers/queue/sources/mqtt.ts'
import { mosquittoMissing, startMosquitto } from '../../support/brokers/mosquitto.ts'

const skip = mosquittoMissing ?? false

test('messages of QoS 0 that nobody has room for do not fill the memory', { skip }, async t => {
  const daemon = await startMosquitto()
  const url = `mqtt://127.0.0.1:${daemon.place.port}`
  const checked = checkQueueConfig({ source: 'mqtt', servers: [url], topic: 'flood' }, () => [])
  assert.ok('config' in checked)
  const config = checked.config as unknown as QueueConfig
  const network = createSourceNetwork(createAddressPolicy({ allow: ['127.0.0.0/8'] }))
  const delivered: string[] = []
  const onDelivery = ({ message }: Delivery): void =>
    void delivered.push(Buffer.from(message.data).toString())
  const session = await mqttSource(config, 'reader', network).open(
    { onDelivery, onLost: assert.fail },
    new AbortController().signal,
  )
  const publisher = await connectAsync(url)
  t.after(async () => {
    await publisher.endAsync()
    await session.close()
    await daemon.close()
  })
  for (let i = 0; i < 5_000; i++) publisher.publish('flood', 'x', { qos: 0 })
  await publisher.publishAsync('flood', 'acknowledged', { qos: 1 })
  await sleep(500) // on a slow machine fewer have come by then, and less is shown
  session.setInHandMax(10_000)
  const kept = delivered.filter(each => each === 'x').length
  assert.ok(kept <= 2_000, `${kept} were kept`)
  await publisher.publishAsync('flood', 'last', { qos: 1 })
  while (delivered.at(-1) !== 'last') await sleep(10)
})
