import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { test } from 'node:test'
import type { AsyncCall } from '../../src/core/index.ts'
import type { Answer } from '../support/server-client.ts'
import { ServerProcess, until } from '../support/server-process.ts'
import { fillDisk, mountSmallDisk } from '../support/small-disk.ts'

const TRIES_MAX = 5_000
const ENDS_MS_MAX = 90_000
const BODY = 'x'.repeat(8 * 1024)
const LENGTH = 'export default async request => String((await request.text()).length)'

test('a full disk refuses asynchronous calls by every way in with 507, and forgets none that it accepted', async t => {
  using disk = mountSmallDisk(t)
  if (disk === undefined) return
  const { home } = disk
  await using server = await ServerProcess.start({ home })
  await server.deploy('held', { 'index.mjs': LENGTH }, { async: { paused: true } })
  await server.deploy('hello', { 'index.mjs': 'export default () => "hello"' })
  assert.equal((await server.call('hello')).text, 'hello')
  const trigger = {
    name: 'hook',
    kind: 'webhook',
    app: 'default',
    function: 'held',
    config: { signature: 'none' },
  }
  const hook = await server.api<{ url: string }>('POST', '/v1/triggers', trigger)
  assert.equal(hook.status, 201, hook.text)
  assert.equal((await server.api('POST', '/v1/topics', { name: 'orders' })).status, 201)

  const respondAsync = { prefer: 'respond-async' }
  const byRouter = () => server.call('held', { method: 'POST', body: BODY, headers: respondAsync })
  const held = '/v1/apps/default/functions/held'
  const byApi = () => server.api('POST', `${held}/invoke`, { text: BODY }, respondAsync)
  const byBatch = () =>
    server.api('POST', `${held}/async-invocations`, { calls: [{ body: BODY }, { body: BODY }] })
  const byTopic = () => server.api('POST', '/v1/topics/orders/messages', { text: BODY })

  const acknowledged = new Set<string>()
  for (let n = 0; n < 10; n++) for (const id of idsOf(await byRouter())) acknowledged.add(id)
  for (const id of idsOf(await byApi())) acknowledged.add(id)
  for (const id of idsOf(await byBatch())) acknowledged.add(id)
  const filler = fillDisk(home)

  // What the store's files have room for still is accepted; then each way is refused in the same words.
  for (const way of [byRouter, byApi, byBatch]) {
    const refused = await refusal(way, acknowledged)
    assert.equal(refused.status, 507, refused.text)
    assert.match(refused.headers.get('content-type') ?? '', /^application\/problem\+json/)
    assert.deepEqual([refused.json.status, refused.json.code], [507, 'STORAGE_FULL'])
    assert.match(refused.json.detail, /no space left.*nothing was changed/)
  }
  const published = await refusal(byTopic, new Set())
  assert.deepEqual([published.status, published.json.code], [507, 'STORAGE_FULL'])
  const event = await fetch(hook.json.url, { method: 'POST', body: BODY })
  assert.equal(event.status, 507, 'so the sender keeps the event')
  await event.arrayBuffer()
  for (let n = 0; n < 20; n++) assert.equal((await server.call('hello')).text, 'hello')

  await server.kill()
  // At the same addresses, so that there is nothing new to write.
  const ports = ['--port', new URL(server.url).port, '--router-port', new URL(server.routerUrl).port]
  await using second = await ServerProcess.start({ home, flags: ports })
  rmSync(filler)
  const resumed = await second.api('PATCH', held, { async: { paused: false } })
  assert.equal(resumed.status, 200, resumed.text)
  await until(
    'all that was accepted has ended well',
    async () => {
      const found = await callsOf(second)
      // Refused means not there; accepted means there.
      assert.deepEqual(new Set(found.map(({ id }) => id)), acknowledged)
      return found.every(({ state }) => state === 'succeeded')
    },
    ENDS_MS_MAX,
  )
  const answer = await second.call('held', { method: 'POST', body: BODY, headers: respondAsync })
  assert.equal(answer.status, 202, 'there is room again')
})

/** Calls until it is refused; what is accepted on the way is noted. */
async function refusal(call: () => Promise<Answer>, acknowledged: Set<string>): Promise<Answer> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const answer = await call()
    if (answer.status >= 300) return answer
    if (answer.status === 202) for (const id of idsOf(answer)) acknowledged.add(id)
  }
  throw new Error(`${TRIES_MAX} calls were accepted on a full disk`)
}

function idsOf(answer: Answer): readonly string[] {
  assert.equal(answer.status, 202, answer.text)
  const body = answer.json as unknown as { id?: string; items?: readonly { id: string }[] }
  return body.items?.map(({ id }) => id) ?? [body.id!]
}

async function callsOf(server: ServerProcess): Promise<readonly AsyncCall[]> {
  const all: AsyncCall[] = []
  let cursor: string | undefined
  do {
    const path = `/v1/async-invocations?limit=1000${cursor === undefined ? '' : `&cursor=${cursor}`}`
    const { json } = await server.api<{ items: AsyncCall[]; next?: string }>('GET', path)
    all.push(...json.items)
    cursor = json.next
  } while (cursor !== undefined)
  return all
}
