/** Events of a whole server, from their triggers into functions and from answers to destinations. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { after, before, suite, test } from 'node:test'
import type { AsyncCall } from '../../src/core/index.ts'
import { ServerProcess, until } from '../support/server-process.ts'

interface Read {
  readonly event: { readonly [name: string]: unknown; readonly data?: unknown }
  readonly contentType: string
}

const READER = `export default async (request, context) => ({
  event: await context.cloudEvent(request) ?? {},
  contentType: request.headers.get('content-type') ?? '',
})`

/** Answers with the event that its request asks for. */
const SELLER = `export default async request => {
  const { order, type } = await request.json()
  return new Response(JSON.stringify({ order }), { headers: {
    'content-type': 'application/json',
    'ce-specversion': '1.0', 'ce-id': 'order-' + order, 'ce-source': '/shop', 'ce-type': type, 'ce-region': 'north',
  } })
}`

suite('events of a whole server', { timeout: 300_000 }, () => {
  let server: ServerProcess

  before(async () => {
    server = await ServerProcess.start({ flags: ['--local-webhooks', 'true'] })
    await server.deploy('reader', { 'index.mjs': READER })
    await server.deploy('seller', { 'index.mjs': SELLER })
  })

  after(() => server?.dispose())

  for (const [kind, config, type] of [
    ['schedule', { cron: '0 3 * * *', data: { nightly: true } }, /^atelier\.schedule/],
    ['webhook', { signature: 'none' }, /^atelier\.webhook/],
    ['alarm', { source: 'aodh' }, /^org\.openstack\.aodh\.transition\.alarm$/],
    ['object', { source: 's3' }, /^atelier\.object\.written$/],
    ['queue', { source: 'topic', topic: 'fired' }, /^atelier\.queue\.message$/],
  ] as const)
    test(`a trigger of kind ${kind} delivers its event as a CloudEvent, in either mode`, async () => {
      if (kind === 'queue') await created('/v1/topics', { name: 'fired' })
      for (const format of ['cloudevent', 'cloudevent-structured']) {
        const name = `${kind}-${format}`
        await created('/v1/triggers', { name, kind, app: 'default', function: 'reader', format, config })
        const body = kind === 'alarm' || kind === 'object' ? undefined : { by: 'hand' }
        const fired = await server.api<{ id: string }>('POST', `/v1/triggers/${name}/fire`, body)
        assert.equal(fired.status, 202, fired.text)
        const { event, contentType } = await answerTo(fired.json.id)
        assert.equal(event['specversion'], '1.0')
        assert.match(String(event['type']), type)
        assert.ok(event['id'] && event['source'] && event['time'], JSON.stringify(event))
        assert.equal(contentType.startsWith('application/cloudevents+json'), format.endsWith('structured'))
        if (body) assert.deepEqual(event.data, body)
      }
    })

  test('an event that a function answers with goes to a topic, whose readers filter by its attributes', async () => {
    await created('/v1/topics', { name: 'orders' })
    for (const [name, filter] of [
      ['paid', [{ exact: { type: 'order.paid', region: 'north' } }]],
      ['all', undefined],
    ] as const)
      await created('/v1/triggers', {
        name,
        kind: 'queue',
        app: 'default',
        function: 'reader',
        format: 'cloudevent',
        config: { source: 'topic', topic: 'orders', from: 'oldest', ...(filter && { filter }) },
      })
    await destination({ kind: 'topic', topic: 'orders' })
    for (const [order, type] of [
      [1, 'order.placed'],
      [2, 'order.paid'],
    ])
      await sell({ order, type })
    await until(
      'both have read',
      async () => (await callsBy('all')).length === 2 && (await callsBy('paid')).length === 1,
    )
    const [paid] = await callsBy('paid')
    const { event } = await answerTo(paid!.id)
    assert.deepEqual(
      [event['id'], event['source'], event['type'], event['region'], event.data],
      ['order-2', '/shop', 'order.paid', 'north', { order: 2 }],
    )
  })

  test('an event that a function answers with goes to another function, and to a webhook', async t => {
    await destination({ kind: 'function', app: 'default', function: 'reader' })
    await sell({ order: 3, type: 'order.paid' })
    const calls = async () =>
      (await list('?trigger=destination')).filter(({ functionName }) => functionName === 'reader')
    await until('the next function was called', async () => (await calls()).length === 1)
    const { event } = await answerTo((await calls())[0]!.id)
    assert.deepEqual([event['id'], event.data], ['order-3', { order: 3 }])

    const heard: { readonly type: string | undefined; readonly body: string }[] = []
    const hook = createServer((request, response) => {
      void text(request).then(body => {
        heard.push({ type: request.headers['content-type'], body })
        response.writeHead(204).end()
      })
    }).listen(0, '127.0.0.1')
    t.after(() => hook.close())
    await once(hook, 'listening')
    await destination({ kind: 'webhook', url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/` })
    await sell({ order: 4, type: 'order.paid' })
    await until('the webhook has heard', async () => heard.length === 1)
    assert.match(heard[0]!.type!, /^application\/cloudevents\+json/)
    const sent = JSON.parse(heard[0]!.body) as Read['event']
    assert.deepEqual([sent['specversion'], sent['id'], sent.data], ['1.0', 'order-4', { order: 4 }])
  })

  test('calls that wait for a function which is deleted end as failures with the reason, and the server goes on', async () => {
    await server.deploy('doomed', { 'index.mjs': READER }, { async: { paused: true } })
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push(await accepted('doomed', {}))
    const deleted = await server.api('DELETE', '/v1/apps/default/functions/doomed')
    assert.ok(deleted.status < 300, deleted.text)
    for (const id of ids) {
      await until('it has ended', async () => (await callOf(id)).state === 'failed')
      assert.match((await callOf(id)).lastFailure!.message, /was deleted/)
    }
    assert.equal(
      (await answerTo(await accepted('reader', { still: 'here' }))).event['specversion'],
      undefined,
    )
  })

  test('a queue that is full refuses with 429, and takes again what fits when there is room', async () => {
    await server.deploy('narrow', { 'index.mjs': READER }, { async: { paused: true, queuedMax: 2 } })
    const call = () => server.call('narrow', { method: 'POST', headers: { prefer: 'respond-async' } })
    assert.deepEqual([(await call()).status, (await call()).status], [202, 202])
    const refused = await call()
    assert.equal(refused.status, 429, refused.text)
    assert.ok(Number(refused.headers.get('retry-after')) >= 1)
    const change = { async: { paused: false, queuedMax: 2 } }
    await server.api('PATCH', '/v1/apps/default/functions/narrow', change)
    await until('there is room', async () => (await call()).status === 202)
  })

  async function created(path: string, body: object): Promise<void> {
    const made = await server.api('POST', path, body)
    assert.equal(made.status, 201, made.text)
  }

  async function destination(onSuccess: object): Promise<void> {
    const changed = await server.api('PATCH', '/v1/apps/default/functions/seller', { async: { onSuccess } })
    assert.equal(changed.status, 200, changed.text)
  }

  async function sell(order: object): Promise<void> {
    const id = await accepted('seller', order)
    await until('it is sold', async () => (await callOf(id)).state === 'succeeded')
  }

  async function accepted(name: string, body: object): Promise<string> {
    const answer = await server.call(name, {
      method: 'POST',
      headers: { prefer: 'respond-async', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.equal(answer.status, 202, answer.text)
    return (answer.json as unknown as { id: string }).id
  }

  async function callOf(id: string): Promise<AsyncCall> {
    return (await server.api<AsyncCall>('GET', `/v1/async-invocations/${id}`)).json
  }

  async function list(query: string): Promise<readonly AsyncCall[]> {
    const path = `/v1/async-invocations${query}`
    return (await server.api<{ items: AsyncCall[] }>('GET', path)).json.items
  }

  async function callsBy(trigger: string): Promise<readonly AsyncCall[]> {
    return (await list('?limit=1000')).filter(
      ({ triggerName, state }) => triggerName === trigger && state === 'succeeded',
    )
  }

  /** What the reader has made of the call. */
  async function answerTo(id: string): Promise<Read> {
    await until('it has ended', async () => (await callOf(id)).endedAt !== undefined)
    const result = await server.api<Read>('GET', `/v1/async-invocations/${id}/result`)
    assert.equal(result.status, 200, result.text)
    return result.json
  }
})
