import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { makeHome, ServerProcess } from '../support/server-process.ts'
import { aStranger } from '../support/stranger.ts'

const TRIES_MAX = 400
const POLL_MS = 50

interface Hook {
  readonly url: string
  readonly status: { readonly accepted: number; readonly lastError?: string }
}

suite('webhooks of a whole server', { timeout: 180_000 }, () => {
  let server: ServerProcess

  before(async () => {
    server = await ServerProcess.start({ home: await makeHome() })
    const code = 'export default async request => ({ said: await request.text() })'
    await server.deploy('echo', { 'index.mjs': code })
  })

  after(() => server?.dispose())

  test('a flood is kept away from the queue, and each request that was accepted is one call', async () => {
    const { url } = await create('flooded', { signature: 'none', limits: { ratePerS: 0.001, burst: 10 } })
    const answers = await Promise.all(Array.from({ length: 200 }, () => post(url, '{}')))
    const accepted = answers.filter(each => each.status === 202)
    const refused = answers.filter(each => each.status === 429)
    assert.equal(accepted.length, 10)
    assert.equal(refused.length, 190)
    assert.ok(refused.every(each => Number(each.headers.get('retry-after')) >= 1))
    for (const each of accepted) await ended(((await each.json()) as { id: string }).id)
    assert.equal((await show('flooded')).status.accepted, 10)
  })

  test('a body that is larger than 6 MiB is refused, one of 6 MiB becomes a call', async () => {
    const { url } = await create('large', { signature: 'none' })
    assert.equal(await statusOfLarge(url, 6 * 1024 * 1024 + 1), 413)
    const answer = await post(url, 'x'.repeat(6 * 1024 * 1024))
    assert.equal(answer.status, 202)
  })

  test('in the mode sync the sender gets the answer of the function', async () => {
    const { url } = await create('sync', { signature: 'none', mode: 'sync' })
    assert.deepEqual(await (await post(url, 'hi')).json(), { said: 'hi' })
  })

  test("another project's trigger is not there", async () => {
    await create('mine', { signature: 'none' })
    const stranger = await aStranger(server)
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/requests'],
      ['POST', '/requests/x/replay'],
      ['POST', '/rotate'],
    ] as const) {
      const answer = await stranger.ask(method, `/v1/triggers/mine${path}`)
      assert.equal(answer.status, 404, `${method} ${path}`)
    }
  })

  test('what was accepted before a kill -9 is called after it', async () => {
    const { url } = await create('killed', { signature: 'none', idHeader: 'x-id' })
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) => post(url, `${at}`, { 'x-id': `${at}` })),
    )
    const ids = await Promise.all(answers.map(async each => ((await each.json()) as { id: string }).id))
    await server.kill()
    server = await ServerProcess.start({ home: server.home })
    for (const id of ids) assert.equal(await ended(id), 'succeeded')
    // The router has another port now; the secret of the URL is the same.
    const again = (await show('killed')).url
    assert.equal(new URL(again).pathname, new URL(url).pathname)
    const second = await post(again, '0', { 'x-id': '0' })
    assert.deepEqual(await second.json(), { id: ids[0], duplicate: true })
  })

  async function create(name: string, config: object): Promise<Hook> {
    const input = { name, kind: 'webhook', app: 'default', function: 'echo', config }
    const { status, text, json } = await server.api<Hook>('POST', '/v1/triggers', input)
    assert.equal(status, 201, text)
    return json
  }

  async function show(name: string): Promise<Hook> {
    return (await server.api<Hook>('GET', `/v1/triggers/${name}`)).json
  }

  /** Waits until an asynchronous call has ended; its final state. */
  async function ended(id: string): Promise<string> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const { json } = await server.api<{ state: string }>('GET', `/v1/async-invocations/${id}`)
      if (json.state !== 'queued' && json.state !== 'running') return json.state
      await sleep(POLL_MS)
    }
    throw new Error(`call ${id} has not ended`)
  }
})

function post(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', headers, body })
}

/** What is answered to the head of a request whose body would have so many bytes. */
function statusOfLarge(url: string, bytes: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': String(bytes) }
    const sent = request(url, { method: 'POST', headers }, answer => {
      resolve(answer.statusCode)
      sent.destroy()
    })
    sent.once('error', reject)
    sent.flushHeaders()
  })
}
