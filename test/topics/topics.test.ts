import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { AtelierError, FunctionTable } from '../../src/core/index.ts'
import { type EventStore, openEventStore } from '../../src/store/index.ts'
import { createTopics, type NewMessage, type TopicsOptions } from '../../src/topics/index.ts'
import { FakeClock } from '../support/clock.ts'

const failing = (code: string) => (error: unknown) => error instanceof AtelierError && error.code === code
const message = (text: string, more: Partial<NewMessage> = {}): NewMessage => ({
  contentType: 'text/plain',
  attributes: {},
  data: Buffer.from(text),
  ...more,
})

describe('topics', () => {
  let folder: string
  let store: EventStore
  const clock = new FakeClock()
  const open = (limits?: TopicsOptions['limits']) =>
    createTopics({
      store,
      clock,
      ...(limits && { limits }),
      onProblem: (text, cause) => assert.fail(`${text} ${String(cause)}`),
    })
  const textsOf = async (topics: ReturnType<typeof open>, id: string, from = 0) =>
    (await topics.read(id, from, 1_000)).map(each => Buffer.from(each.data).toString())
  const tidied = async (done: () => Promise<boolean>) => {
    for (let turn = 0; turn < 200; turn++) {
      if (await done()) return
      clock.advance(10_000)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    assert.fail('nothing was tidied up')
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'atelier-topics-'))
    store = await openEventStore({ url: join(folder, 'events.db') })
  })
  after(async () => {
    await store?.close()
    await rm(folder, { recursive: true, force: true })
  })

  test('a topic is made, found, changed, listed page by page and deleted; another project sees none of it', async () => {
    const topics = open()
    for (const name of ['b', 'a', 'c']) await topics.create('p1', { name })
    const made = await topics.get('p1', 'a')
    assert.deepEqual([made.firstPosition, made.lastPosition, made.retention.messagesMax], [0, 0, 1_000_000])
    await assert.rejects(topics.create('p1', { name: 'a' }), failing('CONFLICT'))
    await assert.rejects(topics.create('p1', { name: 'no/name' }), failing('INVALID_INPUT'))
    await assert.rejects(
      topics.create('p1', { name: 'd', retention: { ageMs: 0 } }),
      failing('INVALID_INPUT'),
    )
    await assert.rejects(topics.get('p2', 'a'), failing('NOT_FOUND'))
    await assert.rejects(topics.publish('p2', 'a', [message('x')]), failing('NOT_FOUND'))
    await assert.rejects(topics.delete('p2', 'a'), failing('NOT_FOUND'))
    const first = await topics.list('p1', { limit: 2 })
    const second = await topics.list('p1', { limit: 2, cursor: first.next! })
    assert.deepEqual(
      [...first.items, ...second.items].map(each => each.name),
      ['a', 'b', 'c'],
    )
    assert.equal(second.next, undefined)
    assert.equal((await topics.update('p1', 'a', { retention: { ageMs: 5_000 } })).retention.ageMs, 5_000)
    assert.equal((await topics.get('p1', 'a')).retention.ageMs, 5_000)
    for (const name of ['a', 'b', 'c']) await topics.delete('p1', name)
    assert.deepEqual((await topics.list('p1', {})).items, [])
    await topics.close()
  })

  test('the topics of a project go with it, also when the server that was told has ended', async () => {
    const first = open()
    const table = new FunctionTable()
    const project = { name: 'x', enabled: true }
    for (const id of ['kept', 'gone', 'missed'])
      table.publish([{ kind: 'project', id, value: { id, ...project } }])
    first.follow(table)
    const ids: string[] = []
    for (const projectId of ['kept', 'gone', 'missed'])
      for (const name of ['a', 'b']) {
        ids.push((await first.create(projectId, { name })).id)
        await first.publish(projectId, name, [message(`${projectId} ${name}`)])
      }
    table.publish([{ kind: 'project', id: 'gone', value: undefined }])
    await tidied(async () => (await first.list('gone', {})).items.length === 0)
    await assert.rejects(first.publish('gone', 'a', [message('late')]), failing('NOT_FOUND'))
    assert.equal((await first.list('missed', {})).items.length, 2)
    await first.close() // its messages may still be there: nobody knows of them but the store

    table.publish([{ kind: 'project', id: 'missed', value: undefined }])
    clock.advance(2 * 3_600_000)
    const second = open()
    second.follow(table)
    const left = async () => (await Promise.all(ids.map(id => textsOf(second, id)))).flat()
    await tidied(async () => (await left()).length === 2)
    assert.deepEqual(await left(), ['kept a', 'kept b'])
    assert.equal((await second.list('missed', {})).items.length, 0)
    for (const name of ['a', 'b']) await second.delete('kept', name)
    await second.close()
  })

  test("a topic is not taken for a dead project's while its project may only not be known yet", async () => {
    const topics = open()
    await topics.create('new', { name: 'young' })
    topics.follow(new FunctionTable())
    await topics.close()
    const again = open()
    assert.equal((await again.list('new', {})).items.length, 1)
    await again.delete('new', 'young')
    await again.close()
  })

  test('what two nodes forget at once is taken off the sum of a topic once', async () => {
    const [topics, other] = [open(), open()]
    const { id } = await topics.create('p', { name: 'pruned', retention: { messagesMax: 2 } })
    await topics.publish('p', 'pruned', [message('a'), message('b'), message('c'), message('d')])
    await tidied(async () => (await textsOf(topics, id)).length === 2)
    await Promise.all([topics.close(), other.close()])
    const kept = await store.db
      .selectFrom('topic_messages')
      .select(({ fn }) => fn.sum<number>('bytes').as('bytes'))
      .where('topic_id', '=', id)
      .executeTakeFirstOrThrow()
    const topic = store.db.selectFrom('topics').select('bytes').where('id', '=', id)
    assert.equal((await topic.executeTakeFirstOrThrow()).bytes, kept.bytes)
  })

  test('what is published at the same time gets positions without gaps, and is read in order with all it has', async () => {
    const topics = open()
    const { id } = await topics.create('p', { name: 'orders' })
    const positions = await Promise.all(
      Array.from({ length: 200 }, (_, i) => topics.publish('p', 'orders', [message(`m${i}`)])),
    )
    assert.deepEqual(
      positions.flat(),
      Array.from({ length: 200 }, (_, i) => i + 1),
    )
    const told = message('{}', {
      id: 'x-1',
      key: 'k',
      contentType: 'application/json',
      attributes: { 'ce-type': 't' },
    })
    await topics.publish('p', 'orders', [told])
    const [last] = await topics.read(id, 200, 10)
    assert.deepEqual(
      { ...last, data: Buffer.from(last!.data).toString() },
      { ...told, data: '{}', position: 201, publishedAt: clock.now() },
    )
    assert.equal((await textsOf(topics, id)).length, 201)
    assert.deepEqual(await topics.read(id, 201, 10), [])
    await topics.close()
  })

  test('a message with an id that is there already is dropped, and answered with the position of the first', async () => {
    const topics = open()
    const { id } = await topics.create('p', { name: 'twice' })
    const one = message('one', { id: 'same' })
    assert.deepEqual(await topics.publish('p', 'twice', [one, one]), [1, 1])
    assert.deepEqual(await topics.publish('p', 'twice', [message('two'), one]), [2, 1])
    assert.deepEqual(await textsOf(topics, id), ['one', 'two'])
    await topics.close()
  })

  test('a publication is all or none, and what is wrong with a message is said', async () => {
    const topics = open()
    const { id } = await topics.create('p', { name: 'strict' })
    const wrong = [message('fine'), message('bad', { id: 'a\nb' })]
    await assert.rejects(topics.publish('p', 'strict', wrong), /messages.1.id must have 1 to 255 characters/)
    const large = [message('fine'), message('x'.repeat(6 * 1024 * 1024 + 1))]
    await assert.rejects(topics.publish('p', 'strict', large), failing('BODY_TOO_LARGE'))
    const many = Array.from({ length: 1_001 }, () => message('x'))
    await assert.rejects(topics.publish('p', 'strict', many), failing('BODY_TOO_LARGE'))
    assert.deepEqual(await textsOf(topics, id), [])
    await topics.close()
  })

  test('messages are forgotten by number, by bytes and by age, and those of a deleted topic altogether', async () => {
    const topics = open()
    const { id } = await topics.create('p', { name: 'short', retention: { messagesMax: 600 } })
    for (let at = 0; at < 3; at++)
      await topics.publish(
        'p',
        'short',
        Array.from({ length: 500 }, (_, i) => message(`${at * 500 + i}`)),
      )
    await tidied(async () => (await topics.get('p', 'short')).firstPosition === 901)
    assert.deepEqual((await textsOf(topics, id)).slice(0, 2), ['900', '901'])
    await topics.update('p', 'short', { retention: { bytesMax: 10 * 104 } })
    await tidied(async () => (await topics.get('p', 'short')).firstPosition === 1_491)
    clock.advance(1_000)
    await topics.publish('p', 'short', [message('young')])
    await topics.update('p', 'short', { retention: { ageMs: 100_000_000 } })
    clock.advance(100_000_000 - 500)
    await tidied(async () => (await topics.get('p', 'short')).firstPosition > 1_500)
    await topics.delete('p', 'short')
    await tidied(async () => (await topics.read(id, 0, 10)).length === 0)
    await topics.close()
  })

  test('a replay begins at the first message of a time', async () => {
    const topics = open()
    const { id } = await topics.create('p', { name: 'replay' })
    const begin = clock.now()
    for (let i = 0; i < 3; i++) {
      await topics.publish('p', 'replay', [message(`at ${i}`)])
      clock.advance(1_000)
    }
    assert.equal(await topics.positionAt(id, begin), 0)
    assert.equal(await topics.positionAt(id, begin + 1), 1)
    assert.equal(await topics.positionAt(id, begin + 2_000), 2)
    assert.equal(await topics.positionAt(id, begin + 2_001), 3)
    await topics.close()
  })

  test('limits of a project: topics, bytes, and what waits to be written', async () => {
    const topics = open({ topicsMax: 2, bytesMax: 1_000, pendingMax: 5 })
    await topics.create('limited', { name: 'a' })
    await topics.create('limited', { name: 'b' })
    await assert.rejects(topics.create('limited', { name: 'c' }), failing('QUOTA_EXCEEDED'))
    await topics.publish('limited', 'a', [message('x'.repeat(500))])
    await assert.rejects(topics.publish('limited', 'b', [message('x'.repeat(500))]), failing('STORAGE_FULL'))
    const six = Array.from({ length: 6 }, () => message('x'))
    await assert.rejects(topics.publish('limited', 'b', six), failing('TOO_MANY_REQUESTS'))
    await topics.publish('limited', 'b', [message('x')])
    await topics.close()
  })

  test('listeners are told which topic has more', async () => {
    const topics = open()
    const { id } = await topics.create('p', { name: 'told' })
    const told: string[] = []
    const end = topics.onPublished(topicId => told.push(topicId))
    await topics.publish('p', 'told', [message('one')])
    end()
    await topics.publish('p', 'told', [message('two')])
    assert.deepEqual(told, [id])
    await topics.close()
  })
})
