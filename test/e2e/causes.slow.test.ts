import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Invocation } from '../../src/core/index.ts'
import { ServerProcess, until } from '../support/server-process.ts'

interface Made {
  readonly url: string
}

const EVENT_TRIGGERS = {
  schedule: { cron: '0 0 1 1 *' },
  queue: { source: 'topic', topic: 'orders' },
  webhook: { signature: 'none' },
  alarm: { source: 'aodh' },
  object: { source: 'swift-middleware' },
}

test('the record of a call says which trigger caused it, of every kind, waited for or not', async () => {
  const server = await ServerProcess.start()
  try {
    await server.deploy('echo', { 'index.mjs': 'export default async request => request.text()' })
    await server.api('POST', '/v1/topics', { name: 'orders' })
    const make = async (kind: string, name: string, rest: object): Promise<Made> => {
      const input = { kind, name, app: 'default', function: 'echo', ...rest }
      const { status, text, json } = await server.api<Made>('POST', '/v1/triggers', input)
      assert.equal(status, 201, text)
      return json
    }
    await make('http', 'route', { path: '/by-route' })
    for (const [kind, config] of Object.entries(EVENT_TRIGGERS)) await make(kind, `a-${kind}`, { config })
    const waited = await make('webhook', 'waited', { config: { signature: 'none', mode: 'sync' } })

    for (const kind of Object.keys(EVENT_TRIGGERS)) {
      const fired = await server.cli('trigger', 'fire', `a-${kind}`)
      assert.equal(fired.code, 0, fired.stderr)
    }
    const published = await server.cli('topic', 'publish', 'orders', '-d', '{"order":17}')
    assert.equal(published.code, 0, published.stderr)
    assert.equal((await fetch(waited.url, { method: 'POST', body: 'hi' })).status, 200)
    assert.equal((await fetch(`${server.routerUrl}/by-route`)).status, 200)
    const deferred = { headers: { prefer: 'respond-async' } }
    assert.equal((await fetch(`${server.routerUrl}/by-route`, deferred)).status, 202)
    const direct = await server.call('echo')

    const wanted = [
      'alarm/a-alarm',
      'http/route',
      'http/route',
      'http/undefined',
      'object/a-object',
      'queue/a-queue', // fired
      'queue/a-queue', // read from its topic
      'schedule/a-schedule',
      'webhook/a-webhook',
      'webhook/waited',
    ]
    const list = async (query = '') =>
      (await server.api<{ items: Invocation[] }>('GET', `/v1/invocations${query}`)).json.items
    await until('all calls have records', async () => (await list()).length >= wanted.length)
    const seen = (await list()).map(({ trigger, triggerName }) => `${trigger}/${triggerName}`)
    assert.deepEqual(seen.sort(), wanted)
    const own = await server.record(direct.headers.get('atelier-invocation-id'))
    assert.ok(!('triggerName' in own))

    const [ofSchedule, ...more] = await list('?trigger=schedule&triggerName=a-schedule')
    assert.deepEqual([ofSchedule?.triggerName, more], ['a-schedule', []])
    const shown = await server.cli('invocation', 'show', ofSchedule!.id)
    assert.match(shown.stdout, /schedule\/a-schedule/)
    const listed = await server.cli('invocation', 'list', '--trigger', 'http/route')
    assert.equal(listed.stdout.match(/http\/route/g)?.length, 2, listed.stdout)
  } finally {
    await server.dispose()
  }
})
