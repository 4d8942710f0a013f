import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { AsyncCall, Invocation } from '../../src/core/index.ts'
import { runExample } from '../support/doc-example.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'

let home: string
before(async () => {
  home = await makeHome()
})
after(() => removeHome(home))

const callsOf = async (server: ServerProcess, name: string) =>
  (await server.api<{ items: Invocation[] }>('GET', '/v1/invocations?limit=1000')).json.items.filter(
    each => each.functionName === name,
  )

test('the example of the page on topics does what the page says', async () => {
  const server = await ServerProcess.start()
  try {
    const { code, stdout, stderr } = await runExample('topics.md', 'topics', server.home)
    assert.equal(code, 0, stderr)
    assert.match(stdout, /\{"order":17\}/)
    await until('the function is called', async () => (await callsOf(server, 'billing')).length === 1)
    const [call] = await callsOf(server, 'billing')
    assert.deepEqual([call?.status, call?.trigger], ['ok', 'queue'])
    const said = async () => (await server.cli('logs', 'shop/billing')).stdout
    await until('it has said which order it got', async () => /order 17$/m.test(await said()))
  } finally {
    await server.dispose()
  }
})

test('a server that is killed in the middle of a topic loses no message', async () => {
  const code = {
    'index.js':
      'export const handler = async (_, { request }) => { await new Promise(r => setTimeout(r, 5)); console.log("seen"); return "" }',
  }
  const seen = new Set<string>()
  // Records are written behind, and a kill may lose the last ones; asynchronous calls are not.
  const note = async (server: ServerProcess) => {
    let cursor: string | undefined
    do {
      const path = `/v1/async-invocations?limit=1000${cursor === undefined ? '' : `&cursor=${cursor}`}`
      const page = (await server.api<{ items: AsyncCall[]; next?: string }>('GET', path)).json
      for (const each of page.items) if (each.state === 'succeeded') seen.add(each.id)
      cursor = page.next
    } while (cursor !== undefined)
  }
  let server = await ServerProcess.start({ home })
  await server.deploy('reader', code)
  const ran = [
    await server.cli('topic', 'create', 'busy'),
    await server.cli(
      'trigger',
      'create',
      'busy',
      'default/reader',
      '--kind',
      'queue',
      '-c',
      'source=topic',
      '-c',
      'topic=busy',
      '-c',
      'from=oldest',
    ),
  ]
  for (const each of ran) assert.equal(each.code, 0, each.stderr)
  for (let round = 0; round < 2; round++) {
    const positions = await server.api<{ positions: number[] }>(
      'POST',
      '/v1/topics/busy/messages',
      Array.from({ length: 300 }, (_, i) => ({ data: { round, i } })),
      { 'content-type': 'application/vnd.atelier.messages+json' },
    )
    assert.equal(positions.json.positions.length, 300)
    await until('some are handled', async () => (await note(server), seen.size >= round * 300 + 50))
    await server.kill()
    server = await ServerProcess.start({ home })
  }
  await until('all are handled', async () => (await note(server), seen.size >= 600))
  const { details } = (
    await server.api<{ status: { details: Record<string, unknown> } }>('GET', '/v1/triggers/busy')
  ).json.status
  assert.equal(details['connection'], 'connected')
  assert.equal(seen.size, 600)
  await server.dispose()
})
