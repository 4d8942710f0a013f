import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createAddressPolicy, systemClock } from '../../../src/core/index.ts'
import { type EventStore, openEventStore } from '../../../src/store/index.ts'
import { createTopics } from '../../../src/topics/index.ts'
import type { RunningTrigger } from '../../../src/triggers/index.ts'
import { createQueueKind } from '../../../src/triggers/queue/index.ts'
import { aQueueTrigger } from '../../suites/queue.ts'
import { TestHost } from './test-host.ts'

describe('subscriptions to topics', () => {
  let folder: string
  let store: EventStore
  let topics: ReturnType<typeof createTopics>
  const running: RunningTrigger[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atelier-subscriptions-'))
    store = await openEventStore({ url: join(folder, 'events.db') })
    topics = createTopics({
      store,
      clock: systemClock,
      onProblem: (text, cause) => assert.fail(`${text} ${String(cause)}`),
    })
  })
  after(async () => {
    await Promise.all(running.map(each => each.stop()))
    await topics?.close()
    await store?.close()
    await rm(folder, { recursive: true, force: true })
  })

  const start = (topic: string, host: TestHost, extra: object = {}, projectId = 'p') => {
    const kind = createQueueKind({ topics, addresses: createAddressPolicy() })
    const checked = kind.check({ source: 'topic', topic, from: 'oldest', ...extra }, 0)
    assert.ok('config' in checked, JSON.stringify(checked))
    const trigger = kind.start({ ...aQueueTrigger('t', checked.config), projectId }, host)
    running.push(trigger)
    return trigger
  }
  const publish = (topic: string, from: number, to: number, more: object = {}) =>
    topics.publish(
      'p',
      topic,
      Array.from({ length: to - from }, (_, i) => ({
        contentType: 'text/plain',
        attributes: {},
        data: Buffer.from(`m${from + i}`),
        ...more,
      })),
    )
  const deliveredTo = (host: TestHost) =>
    host.delivered.flatMap(each => each.events.map(event => Buffer.from(event.data).toString()))
  const all = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `m${from + i}`)
  const until = async (what: () => boolean) => {
    for (let i = 0; i < 4_000 && !what(); i++) await sleep(5)
    assert.ok(what(), what.toString())
  }

  test('each trigger gets every message as a durable call, in order, and goes on where it was', async () => {
    await topics.create('p', { name: 'fan' })
    const hosts = [new TestHost(), new TestHost()]
    const first = hosts.map(host => start('fan', host))
    await publish('fan', 0, 250)
    await until(() => hosts.every(host => deliveredTo(host).length === 250))
    for (const each of first) await each.stop()
    await publish('fan', 250, 260)
    const second = hosts.map(host => start('fan', host))
    await until(() => hosts.every(host => deliveredTo(host).length === 260))
    for (const each of second) await each.stop()
    for (const host of hosts) {
      assert.deepEqual(deliveredTo(host).toSorted(), all(0, 260).toSorted())
      assert.deepEqual(host.failures, [])
    }
  })

  test('by default a trigger begins with what comes after it', async () => {
    await topics.create('p', { name: 'later' })
    await publish('later', 0, 10)
    const host = new TestHost()
    const trigger = start('later', host, { from: 'new' })
    await until(() => trigger.view?.().details?.['connection'] === 'connected')
    await publish('later', 10, 12)
    await until(() => deliveredTo(host).length === 2)
    assert.deepEqual(deliveredTo(host), ['m10', 'm11'])
    await trigger.stop()
  })

  test('the position is not saved past a message that is still being handled: a crash repeats it, and loses none', async () => {
    await topics.create('p', { name: 'crash' })
    const stuck = Promise.withResolvers<undefined>()
    const host = new TestHost(([event]) =>
      Buffer.from(event!.data).toString() === 'm3' ? stuck.promise : undefined,
    )
    const trigger = start('crash', host, { delivery: 'call' })
    await publish('crash', 0, 10)
    await until(() => host.calls.length === 10 && (host.saved as { position: number }).position === 3)
    await sleep(250)
    const after = new TestHost()
    after.saved = structuredClone(host.saved) // what a killed server would leave
    const next = start('crash', after, { delivery: 'call' })
    await until(() => after.calls.length === 7)
    assert.deepEqual(after.texts.toSorted(), all(3, 10))
    stuck.resolve(undefined)
    await trigger.stop()
    await next.stop()
    assert.equal((host.saved as { position: number }).position, 10)
  })

  test('a filter leaves messages out, and passes over them', async () => {
    await topics.create('p', { name: 'filtered' })
    const host = new TestHost()
    const trigger = start('filtered', host, { filter: [{ exact: { colour: 'red' } }] })
    await publish('filtered', 0, 5, { attributes: { colour: 'blue' } })
    await publish('filtered', 5, 7, { attributes: { colour: 'red' } })
    await until(() => deliveredTo(host).length === 2 && host.filteredCount === 5)
    await trigger.stop()
    assert.deepEqual(deliveredTo(host).toSorted(), ['m5', 'm6'])
    assert.equal((host.saved as { position: number }).position, 7)
  })

  test('a subscription goes back to a position or a time, and what it reads again is delivered again', async () => {
    await topics.create('p', { name: 'again' })
    const host = new TestHost()
    const trigger = start('again', host)
    await publish('again', 0, 5)
    await until(() => deliveredTo(host).length === 5)
    await trigger.seek?.({ position: 3 })
    await until(() => deliveredTo(host).length === 7)
    assert.deepEqual(deliveredTo(host).slice(5).toSorted(), ['m3', 'm4'])
    await trigger.seek?.({ at: 0 })
    await until(() => deliveredTo(host).length === 12)
    const keys = host.delivered.flatMap(each => each.events.map(event => event.deliveryId))
    assert.equal(new Set(keys).size, 12, 'no delivery is taken for a duplicate of an earlier one')
    await trigger.stop()
  })

  test('messages with a key are ordered calls, one key beside the other', async () => {
    await topics.create('p', { name: 'keyed' })
    const host = new TestHost()
    const trigger = start('keyed', host, { ordering: 'key' })
    for (let i = 0; i < 20; i++) await publish('keyed', i, i + 1, { key: `k${i % 2}` })
    await until(() => deliveredTo(host).length === 20)
    await trigger.stop()
    for (const key of ['k0', 'k1']) {
      const own = host.delivered.filter(each => each.options.orderingKey === key)
      const texts = own.flatMap(each => each.events.map(event => Buffer.from(event.data).toString()))
      assert.deepEqual(
        texts,
        all(0, 20).filter((_, i) => `k${i % 2}` === key),
      )
    }
  })

  test('a full queue holds the subscription back without losing its place', async () => {
    await topics.create('p', { name: 'held' })
    const host = new TestHost()
    host.room = 0
    const trigger = start('held', host)
    await publish('held', 0, 500)
    await sleep(300)
    assert.equal(host.delivered.length, 0)
    host.room = 10
    await until(() => deliveredTo(host).length === 500)
    assert.ok(
      host.delivered.every(each => each.events.length <= 10),
      'never more than there is room for',
    )
    await trigger.stop()
  })

  test('a topic of another project is not there, nor is one that was deleted', async () => {
    await topics.create('p', { name: 'mine' })
    const stranger = new TestHost()
    const trigger = start('mine', stranger, {}, 'other')
    await until(() => stranger.failures.length > 0)
    assert.match(stranger.failures[0]!.message, /there is no topic "mine" in this project/)
    await trigger.stop()
    const host = new TestHost()
    const own = start('mine', host)
    await until(() => host.healthyCount > 0)
    await topics.delete('p', 'mine')
    await until(() => host.failures.some(each => each.message.includes('was deleted')))
    await topics.create('p', { name: 'mine' })
    await publish('mine', 0, 2)
    await until(() => deliveredTo(host).length === 2)
    await own.stop()
  })

  test('what retention took before it was read is told', async () => {
    const { id } = await topics.create('p', { name: 'short' })
    const host = new TestHost()
    await publish('short', 0, 10)
    await store.db
      .deleteFrom('topic_messages')
      .where('topic_id', '=', id)
      .where('position', '<=', 4)
      .execute()
    await store.db.updateTable('topics').set({ first_position: 5 }).where('id', '=', id).execute()
    host.saved = { topicId: id, position: 1, moves: 0 }
    const trigger = start('short', host)
    await until(() => deliveredTo(host).length === 6)
    assert.match(host.failures[0]!.message, /3 messages of "short" were forgotten before they were read/)
    await trigger.stop()
  })
})
