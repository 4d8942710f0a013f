import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AsyncCall, Invocation } from '../../src/core/index.ts'
import { makeHome, ServerProcess, until } from '../support/server-process.ts'

const ROUNDS = 5

const FUNCTIONS: Readonly<Record<string, string>> = {
  fast: 'export default () => "fast"',
  slow: 'export default async () => { await new Promise(resolve => setTimeout(resolve, 400)); return "slow" }',
  flaky: `export default (request, context) => {
    if (request.headers.get('atelier-attempt') === '1') throw new Error('on purpose')
    return 'flaky'
  }`,
  failing: 'export default () => { throw new Error("on purpose") }',
  crashing: 'export default () => process.exit(3)',
}

test('a server that is killed again and again ends every call that it acknowledged, once', async () => {
  const home = await makeHome()
  const acknowledged = new Map<string, string>()
  for (let round = 0; round < ROUNDS; round++) {
    const server = await ServerProcess.start({ home }) // its end does not remove the home
    if (round === 0)
      for (const [name, code] of Object.entries(FUNCTIONS))
        await server.deploy(
          name,
          { 'index.mjs': code },
          { async: { retry: { attemptsMax: 2, delayMs: 100 } } },
        )
    const stopped = new AbortController()
    const accepting = Object.keys(FUNCTIONS).map(async name => {
      while (!stopped.signal.aborted) {
        try {
          const answer = await server.call(name, {
            method: 'POST',
            body: 'x',
            headers: { prefer: 'respond-async' },
          })
          if (answer.status !== 202) continue
          acknowledged.set((answer.json as unknown as { id: string }).id, name)
        } catch {
          return // killed
        }
        await sleep(name === 'crashing' ? 200 : 10) // each of those costs an instance
      }
    })
    await sleep(200 + Math.random() * 800)
    await server.kill()
    stopped.abort()
    await Promise.all(accepting)
  }
  assert.ok(acknowledged.size > ROUNDS * 5)

  await using last = await ServerProcess.start({ home })
  const callOf = async (id: string): Promise<AsyncCall> =>
    (await last.api<AsyncCall>('GET', `/v1/async-invocations/${id}`)).json
  const left = new Set(acknowledged.keys())
  await until(
    'all have ended',
    async () => {
      for (const id of left) {
        const { state } = await callOf(id)
        if (state === 'queued' || state === 'running') return false
        left.delete(id)
      }
      return true
    },
    90_000,
  )
  for (const [id, name] of acknowledged) {
    const { state } = await callOf(id)
    assert.equal(state, name === 'failing' || name === 'crashing' ? 'failed' : 'succeeded', `${name} ${id}`)
  }
  // Of those before, the last record may be lost with the server; a new one shows both attempts.
  const answer = await last.call('flaky', { method: 'POST', headers: { prefer: 'respond-async' } })
  const { id } = answer.json as unknown as { id: string }
  await until('it has succeeded', async () => (await callOf(id)).state === 'succeeded')
  const attempts = `/v1/async-invocations/${id}/attempts`
  const { items } = (await last.api<{ items: readonly Invocation[] }>('GET', attempts)).json
  assert.deepEqual(
    items.map(({ status }) => status),
    ['error', 'ok'],
  )
  assert.ok(items.every(({ heldMs }) => heldMs !== undefined && heldMs >= 0))
  await last.stop()
})

test('an answer of a gigabyte ends its call as a failure, and the server goes on', async () => {
  await using server = await ServerProcess.start()
  await server.deploy('flood', {
    'index.mjs': `export default () => new Response(new ReadableStream({
      pull(controller) { controller.enqueue(new Uint8Array(1024 * 1024)) },
    }))`,
  })
  const before = server.residentBytes
  const answer = await server.call('flood', { headers: { prefer: 'respond-async' } })
  assert.equal(answer.status, 202)
  const { id } = answer.json as unknown as { id: string }
  await until('it has ended', async () => {
    const call = (await server.api<AsyncCall>('GET', `/v1/async-invocations/${id}`)).json
    if (call.state === 'queued' || call.state === 'running') return false
    assert.equal(call.state, 'failed')
    assert.match(call.lastFailure!.message, /6 MiB/)
    return true
  })
  assert.ok(server.residentBytes - before < 200 * 1024 ** 2)
  await server.stop()
})
