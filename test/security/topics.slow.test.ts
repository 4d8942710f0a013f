/** Another project's topic does not exist, whichever way it is asked for: at a whole server, by the API and by triggers. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { AsyncCall } from '../../src/core/index.ts'
import { rawTar } from '../builder/archives.ts'
import type { Answer } from '../support/server-client.ts'
import { ServerProcess, until } from '../support/server-process.ts'
import { aStranger, type Stranger } from '../support/stranger.ts'

const ECHO = 'export default async request => request.text()'
const SECRET = 'what only its project may read'

interface TopicSeen {
  readonly id: string
  readonly name: string
  readonly lastPosition: number
}
interface TriggerSeen {
  readonly status: { readonly state: string; readonly lastError?: string; readonly accepted: number }
}

suite('topics of another project', { timeout: 300_000 }, () => {
  let server: ServerProcess
  let stranger: Stranger
  let topicId: string

  before(async () => {
    server = await ServerProcess.start()
    stranger = await aStranger(server)
    await server.deploy('reader', { 'index.mjs': ECHO })
    const made = await server.api<TopicSeen>('POST', '/v1/topics', { name: 'orders' })
    assert.equal(made.status, 201, made.text)
    topicId = made.json.id
    assert.equal((await server.api('POST', '/v1/topics/orders/messages', { SECRET })).status, 201)
    await created(
      await server.api('POST', '/v1/triggers', {
        name: 'bills',
        kind: 'queue',
        app: 'default',
        function: 'reader',
        config: { source: 'topic', topic: 'orders', from: 'oldest' },
      }),
    )
    await until('its own trigger has read it', async () => (await callsBy(server, 'bills')).length === 1)
    await deployFor(stranger, 'taker')
  })
  after(() => server?.dispose())

  test('it cannot be seen, read, published to, changed or deleted, by name or id', async () => {
    for (const named of ['orders', topicId])
      for (const [method, path, body] of [
        ['GET', ''],
        ['PATCH', '', { retention: { messagesMax: 1 } }],
        ['DELETE', ''],
        ['GET', '/messages'],
        ['GET', '/messages?after=0&limit=1000'],
        ['POST', '/messages', { forged: true }],
      ] as const) {
        const answer = await stranger.ask(method, `/v1/topics/${named}${path}`, body)
        assert.equal(answer.status, 404, `${method} ${named}${path}: ${answer.text}`)
        assert.equal(answer.json.code, 'NOT_FOUND')
        assert.ok(!answer.text.includes(SECRET))
      }
    const list = await stranger.ask<{ items: unknown[] }>('GET', '/v1/topics')
    assert.deepEqual(list.json.items, [])
  })

  test('a token of one project does not become one of another by asking for it', async () => {
    for (const header of ['atelier-project', 'x-project-id', 'x-project-name']) {
      const answer = await stranger.ask('GET', '/v1/topics/orders/messages', undefined, {
        [header]: 'default',
      })
      assert.ok(answer.status === 404 || answer.status === 401, `${header}: ${answer.status}`)
    }
  })

  test("another project's subscription cannot be looked at, sent back, fired or given another topic", async () => {
    for (const [method, path, body] of [
      ['GET', ''],
      ['PATCH', '', { config: { topic: 'mine' } }],
      ['DELETE', ''],
      ['POST', '/seek', { position: 0 }],
      ['POST', '/fire', { forged: true }],
      ['POST', '/pause'],
      ['GET', '/requests'],
    ] as const) {
      const answer = await stranger.ask(method, `/v1/triggers/bills${path}`, body)
      assert.equal(answer.status, 404, `${method} ${path}: ${answer.text}`)
    }
    assert.equal((await callsBy(server, 'bills')).length, 1)
  })

  test('a trigger that names it reads the topic of that name in its own project, and there is none', async () => {
    for (const [name, topic] of [
      ['by-name', 'orders'],
      ['by-id', topicId],
    ]) {
      const made = await stranger.ask('POST', '/v1/triggers', {
        name,
        kind: 'queue',
        app: 'default',
        function: 'taker',
        config: { source: 'topic', topic, from: 'oldest' },
      })
      // A topic may be made after the trigger that reads it.
      await created(made)
      const seen = async () => (await stranger.ask<TriggerSeen>('GET', `/v1/triggers/${name}`)).json.status
      await until('it says that there is no such topic', async () => (await seen()).state === 'failing')
      assert.match((await seen()).lastError ?? '', /no topic|not there|no such/i)
      const sought = await stranger.ask('POST', `/v1/triggers/${name}/seek`, { position: 0 })
      assert.equal(sought.status, 404, sought.text)
    }
    await server.api('POST', '/v1/topics/orders/messages', { SECRET, again: true })
    await until('its own trigger has read that', async () => (await callsBy(server, 'bills')).length === 2)
    assert.deepEqual(
      await stranger.ask<{ items: unknown[] }>('GET', '/v1/async-invocations').then(each => each.json.items),
      [],
    )
  })

  test('a topic of the same name is another one: what one project publishes, answers or fails with stays there', async () => {
    await created(await stranger.ask('POST', '/v1/topics', { name: 'orders' }))
    const before = await lastPosition()
    assert.equal(
      (await stranger.ask('POST', '/v1/topics/orders/messages', { of: 'the stranger' })).status,
      201,
    )
    await until('its trigger has read it', async () => (await strangersCalls()).length >= 1)
    const toTopic = { async: { onSuccess: { kind: 'topic', topic: 'orders' } } }
    const changed = await stranger.ask('PATCH', '/v1/apps/default/functions/taker', toTopic)
    assert.equal(changed.status, 200, changed.text)
    const invoked = await stranger.ask(
      'POST',
      '/v1/apps/default/functions/taker/invoke',
      { of: 'the stranger' },
      {
        prefer: 'respond-async',
      },
    )
    assert.equal(invoked.status, 202, invoked.text)
    await until('the answer is in its topic', async () => {
      const { json } = await stranger.ask<TopicSeen>('GET', '/v1/topics/orders')
      return json.lastPosition >= 2
    })
    const own = await stranger.ask('GET', '/v1/topics/orders/messages')
    assert.ok(!own.text.includes(SECRET))
    assert.equal(await lastPosition(), before)
    assert.equal((await callsBy(server, 'bills')).length, 2)
    const theirs = await server.api('GET', '/v1/topics/orders/messages')
    assert.ok(!theirs.text.includes('the stranger'))
  })

  async function lastPosition(): Promise<number> {
    return (await server.api<TopicSeen>('GET', '/v1/topics/orders')).json.lastPosition
  }

  async function strangersCalls(): Promise<readonly AsyncCall[]> {
    return (await stranger.ask<{ items: AsyncCall[] }>('GET', '/v1/async-invocations')).json.items
  }
})

async function callsBy(server: ServerProcess, trigger: string): Promise<readonly AsyncCall[]> {
  const { json } = await server.api<{ items: AsyncCall[] }>('GET', '/v1/async-invocations?limit=1000')
  return json.items.filter(({ triggerName, state }) => triggerName === trigger && state === 'succeeded')
}

async function created(answer: Answer): Promise<void> {
  assert.equal(answer.status, 201, answer.text)
}

async function deployFor(stranger: Stranger, name: string): Promise<void> {
  const form = new FormData()
  form.set('settings', '{}')
  form.set('package', new Blob([new Uint8Array(rawTar([{ name: 'index.mjs', body: ECHO }]))]), 'package')
  const answer = await stranger.ask('POST', `/v1/apps/default/functions/${name}/deploy`, form)
  assert.ok(answer.status === 201, answer.text)
}
