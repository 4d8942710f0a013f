import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { leftoversOf } from '../support/leftovers.ts'
import { makeHome, removeHome, ServerProcess, until } from '../support/server-process.ts'
import { fillDisk, mountSmallDisk } from '../support/small-disk.ts'

const SLOW =
  'export default async () => { await new Promise(resolve => setTimeout(resolve, 1500)); return "slow" }'
const NEVER = 'export default () => new Promise(() => {})'
const says = (text: string) => ({ 'index.mjs': `export default () => ${JSON.stringify(text)}` })
const NOTHING = { processes: [], cgroups: [], mounts: [], runEntries: [] }

test('kill -9 of the server in mid-call and mid-deploy: what was acknowledged is there, and nothing is left over', async () => {
  await using first = await ServerProcess.start()
  const { home } = first
  await first.deploy('never', { 'index.mjs': NEVER })
  await first.deploy('python', { 'main.py': 'def main(request, context): return "python"' })
  assert.equal((await first.call('python')).text, 'python')
  const acknowledged = new Map<string, string>()
  const calls = Array.from({ length: 3 }, () =>
    first.call('never').then(
      () => assert.fail('a killed server cannot answer'),
      () => 'broken off',
    ),
  )
  await until(
    'the calls run',
    async () => (await first.instances('never')).filter(each => each.state === 'busy').length === 3,
  )
  const deploys = Array.from({ length: 4 }, (_, n) => deployUntilItFails(first, n, acknowledged))
  await until('some deploys are acknowledged', () => acknowledged.size >= 6, 60_000)
  assert.ok(leftoversOf(home).processes.length > 3, 'the server and its instances are seen')
  await first.kill()
  await Promise.all([...calls, ...deploys])

  await using second = await ServerProcess.start({ home })
  for (const [name, text] of acknowledged) assert.equal((await second.call(name)).text, text, name)
  assert.equal((await second.call('python')).text, 'python')
  assert.equal(await second.stop(), 0)
  assert.deepEqual(leftoversOf(home), NOTHING)
})

/** Deploys function after function until the server is gone; notes those that it acknowledged. */
async function deployUntilItFails(
  server: ServerProcess,
  worker: number,
  acknowledged: Map<string, string>,
): Promise<void> {
  for (let n = 0; n < 1000; n++) {
    const name = `kept-${worker}-${n}`
    try {
      await server.deploy(name, says(name))
    } catch {
      return
    }
    acknowledged.set(name, name)
  }
}

test('what a killed server left behind is gone when its successor is ready', async () => {
  await using first = await ServerProcess.start()
  const { home } = first
  await first.deploy('hello', says('hello'))
  await first.call('hello')
  await first.kill()
  const before = leftoversOf(home)
  await using second = await ServerProcess.start({ home, flags: ['--warm-instances', '0'] })
  const now = leftoversOf(home)
  assert.deepEqual(now.processes, [second.pid], `before: ${JSON.stringify(before)}`)
  // The note of the process that serves is the second's own.
  assert.deepEqual({ ...now, processes: [] }, { ...NOTHING, runEntries: ['server.json'] })
  assert.equal((await second.call('hello')).text, 'hello')
})

test('a server that is told to stop leaves nothing behind', async () => {
  await using server = await ServerProcess.start()
  await server.deploy('hello', says('hello'))
  await server.call('hello')
  assert.equal(await server.stop(), 0)
  assert.deepEqual(leftoversOf(server.home), NOTHING)
})

test('a restart under load fails no request that was accepted', async () => {
  await using server = await ServerProcess.start()
  await server.deploy('slow', { 'index.mjs': SLOW }, { limits: { concurrency: 50 } })
  await server.call('slow')
  const seen: string[] = []
  const callers = Array.from({ length: 20 }, async (_, n) => {
    await new Promise(resolve => setTimeout(resolve, n * 50))
    for (;;) {
      try {
        const { status, text } = await server.call('slow')
        seen.push(`${status} ${text}`)
      } catch (error) {
        return causeOf(error)
      }
    }
  })
  await until('every caller was answered', () => seen.length >= 20)
  const answeredBefore = seen.length
  assert.equal(await server.stop(), 0)
  // A new connection is refused; none that was accepted is broken off.
  for (const cause of await Promise.all(callers)) assert.equal(cause, 'ECONNREFUSED')
  assert.ok(seen.length >= answeredBefore + 10, 'calls in hand were answered while it stopped')
  assert.deepEqual(
    seen.filter(each => each !== '200 slow'),
    [],
  )
})

function causeOf(error: unknown): unknown {
  const { cause } = error as { cause?: { code?: unknown } }
  return cause?.code ?? String(cause)
}

test('a port in use is named, with the setting to change', async t => {
  const other = createServer()
  t.after(() => other.close())
  const port = await new Promise<number>(resolve =>
    other.listen(0, '127.0.0.1', () => resolve((other.address() as { port: number }).port)),
  )
  for (const [setting, value] of [
    ['--port', port],
    ['--router-port', port],
    ['--dialects', `picasso:${port}`],
  ] as const) {
    const home = await makeHome()
    t.after(() => removeHome(home))
    // Languages are looked at later, since some of them are compiled first: their fault is not the one to hear of.
    const flags = [setting, String(value), '--languages', join(home, 'none')]
    await assert.rejects(ServerProcess.start({ home, flags }), (error: Error) => {
      assert.match(
        error.message,
        new RegExp(`ended with 1: error: Port ${port} cannot be used: .* ${setting}\\.`),
      )
      assert.doesNotMatch(error.message, /\n\s+at /)
      return true
    })
    await until('nothing is left over', () => leftoversOf(home).processes.length === 0)
  }
})

test('a second server on the same home is refused, and the first goes on', async () => {
  await using server = await ServerProcess.start()
  await server.deploy('hello', says('hello'))
  await server.call('hello')
  await assert.rejects(
    ServerProcess.start({ home: server.home }),
    new RegExp(`in use by the process with pid ${server.pid}`),
  )
  assert.equal((await server.call('hello')).text, 'hello')
})

test('a full disk refuses deploys with STORAGE_FULL, calls go on, and space makes all well', async t => {
  using disk = mountSmallDisk(t)
  if (disk === undefined) return
  const { home } = disk
  await using server = await ServerProcess.start({ home })
  await server.deploy('hello', says('hello'))
  assert.equal((await server.call('hello')).text, 'hello')
  const filler = fillDisk(home)
  const big = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`file${n}.txt`, 'x'.repeat(20_000)]))
  const refused = await server.tryDeploy('big', { ...says('big'), ...big })
  assert.equal(refused.status, 507, refused.text)
  assert.equal(refused.json.code, 'STORAGE_FULL')
  assert.match(refused.json.detail, /space|full/)
  for (let n = 0; n < 20; n++) assert.equal((await server.call('hello')).text, 'hello')

  await server.stop()
  // At the same addresses, so that there is nothing new to write.
  const ports = ['--port', new URL(server.url).port, '--router-port', new URL(server.routerUrl).port]
  await using second = await ServerProcess.start({ home, flags: ports })
  assert.equal((await second.call('hello')).text, 'hello', 'it comes up on a full disk')
  rmSync(filler)
  await second.deploy('big', { ...says('big'), ...big })
  assert.equal((await second.call('big')).text, 'big')
  const answer = await second.call('hello')
  assert.equal((await second.record(answer.headers.get('atelier-invocation-id'))).status, 'ok')
})
