import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ServerProcess, until } from '../../support/server-process.ts'

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'trigger-object.md'), 'utf8')
const blocks = [...page.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, text]) => JSON.parse(text!) as Block)
const configs = blocks.flatMap(block => block.config ?? (block.source === undefined ? [] : [block]))

interface Block {
  readonly source?: string
  readonly config?: Block
}

let server: ServerProcess
before(async () => {
  server = await ServerProcess.start()
  await server.deploy('thumbnail', { 'index.mjs': 'export default request => request.json()' })
})
after(() => server?.dispose())

test('the page has an example of each source', () => {
  const shown = new Set(configs.map(each => each.source))
  assert.deepEqual(shown, new Set(['swift-middleware', 'notifications', 's3', 'poll']))
})

test('each example is a trigger that the server takes, shows without its secrets, and fires by hand', async () => {
  for (const [index, config] of configs.entries()) {
    const name = `example-${index}`
    // Paused: the servers that the page names are nowhere.
    const trigger = { name, kind: 'object', app: 'default', function: 'thumbnail', paused: true, config }
    const created = await server.api('POST', '/v1/triggers', trigger)
    assert.equal(created.status, 201, `${JSON.stringify(config)}: ${created.text}`)
    assert.ok(!created.text.includes('a-long-secret'))
    const fired = await server.api<{ readonly id: string }>('POST', `/v1/triggers/${name}/fire`)
    assert.equal(fired.status, 202, fired.text)
    const record = await server.record(fired.json.id)
    assert.equal(record.trigger, 'object')
  }
})

test("what the page's S3 example is sent arrives in the function, and what has no token does not", async () => {
  const config = configs.find(each => each.source === 's3')
  const trigger = { name: 'live', kind: 'object', app: 'default', function: 'thumbnail', config }
  const created = await server.api<{ readonly url: string }>('POST', '/v1/triggers', trigger)
  assert.equal(created.status, 201, created.text)
  const record = {
    eventName: 's3:ObjectCreated:Put',
    eventTime: '2026-01-01T00:00:00.000Z',
    s3: { bucket: { name: 'photos' }, object: { key: '2026%2Fcat.jpg', size: 51_234, sequencer: '1' } },
  }
  const send = (token: string) =>
    fetch(created.json.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ Records: [record] }),
    })
  assert.equal((await send('guess')).status, 401)
  assert.equal((await send('a-long-secret')).status, 202)
  assert.equal((await send('a-long-secret')).status, 202) // told twice
  interface Seen {
    readonly status: { readonly accepted: number; readonly duplicates: number }
  }
  const status = async () => (await server.api<Seen>('GET', '/v1/triggers/live')).json.status
  await until('it is one call and one duplicate', async () => {
    const { accepted, duplicates } = await status()
    return accepted === 1 && duplicates === 1
  })
})
