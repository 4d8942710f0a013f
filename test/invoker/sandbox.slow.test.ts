import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Backend, openLocalBackend } from '../../src/backends/index.ts'
import { framesContract } from '../../src/contracts/index.ts'
import {
  FunctionTable,
  type Invocation,
  type LogLine,
  systemClock,
  type TableFunction,
} from '../../src/core/index.ts'
import { nodejsEnvironment } from '../../src/environments/index.ts'
import { createInvoker, type InvokeRequest, type Invoker } from '../../src/invoker/index.ts'
import { createPool, type Pool } from '../../src/pool/index.ts'
import { Caller } from '../support/calls.ts'
import { aFunction, aVersion } from '../support/fleet.ts'

const CODE = {
  greet: `export default async request => {
    const { pathname } = new URL(request.url)
    console.log('saw ' + pathname)
    if (pathname === '/exit') process.exit(3)
    if (pathname === '/spin') for (;;) {}
    if (pathname === '/throw') throw new Error('secret detail')
    if (pathname === '/eat') { const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1)) }
    if (pathname === '/stay') await new Promise(() => {})
    return new Response('hello ' + await request.text())
  }`,
  broken: 'this is no JavaScript',
  gone: 'process.exit(7)',
}

const skip = !existsSync('/usr/bin/bwrap') && 'bubblewrap is not installed'

describe('calls of real code in real sandboxes', { skip }, () => {
  let home: string
  let backend: Backend
  let pool: Pool
  let invoker: Invoker
  const records: Invocation[] = []
  const logs: LogLine[] = []
  const troubles: string[] = []

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'atelier-invoker-'))
    const bundlesPath = join(home, 'bundles')
    for (const [name, code] of Object.entries(CODE)) {
      await mkdir(join(bundlesPath, name), { recursive: true })
      await writeFile(join(bundlesPath, name, 'index.mjs'), code)
    }
    backend = await openLocalBackend({
      runPath: join(home, 'run'),
      bundlesPath,
      isolation: 'auto',
      clock: systemClock,
    })
    const status = await nodejsEnvironment.probe()
    assert.ok(status.ready)
    const table = new FunctionTable()
    pool = createPool({
      backend,
      contracts: () => framesContract,
      environments: new Map([
        ['nodejs', { launch: status.launch, contract: nodejsEnvironment.contract, warm: 1 }],
      ]),
      bundles: { locate: async name => join(bundlesPath, name) },
      secrets: { read: async () => ({}) },
      table,
      clock: systemClock,
      onLog: line => logs.push(line),
      onTrouble: (message, cause) => troubles.push(`${message}: ${String(cause)}`),
      limits: { instancesMax: 10, memoryMiBMax: 4_096 },
    })
    const observer = { onInvocation: (record: Invocation) => records.push(record), onLog: () => {} }
    invoker = createInvoker({ table, pool, observer, clock: systemClock, cancelGraceMs: 300 })
  })

  after(async () => {
    await pool?.close(0)
    await backend?.close()
    await rm(home, { recursive: true, force: true })
  })

  const functionOf = (name: string): TableFunction =>
    aFunction([
      { ...aVersion({ name, limits: { timeoutMs: 2_000 } }), bundleDigest: name, entry: 'index.mjs' },
    ])
  const begin = (name: string, path: string, body: string | null = null): Caller => {
    const caller = new Caller()
    const request: InvokeRequest = {
      target: functionOf(name),
      qualifier: undefined,
      trigger: 'test',
      method: body === null ? 'GET' : 'POST',
      path,
      headers: ['host', 'example.org'],
      body: body === null ? null : Buffer.from(body),
    }
    caller.handle = invoker.invoke(request, caller)
    return caller
  }
  const call = async (name: string, path: string, body: string | null = null): Promise<Caller> => {
    const caller = begin(name, path, body)
    for (let i = 0; i < 1_000 && caller.ends === 0; i++) await sleep(10)
    return caller
  }
  const recordOf = (caller: Caller) => records.find(record => record.id === caller.handle.id)

  test('a function answers, with its output and its record', async () => {
    const caller = await call('greet', '/world', 'you')
    assert.deepEqual([caller.status, caller.body], [200, 'hello you'])
    assert.equal(logs.find(line => line.text === 'saw /world')?.invocationId, caller.handle.id)
    const record = recordOf(caller)!
    assert.equal(record.cold, true)
    assert.ok(record.memoryPeakBytes! > 1_000_000)
    assert.ok(record.billedMs >= 1)
    assert.deepEqual(troubles, [])
  })

  test('code that throws, ends or never answers fails its own call, and the next is served', async () => {
    for (const [path, code] of [
      ['/throw', 'FUNCTION_FAILED'],
      ['/exit', 'FUNCTION_CRASHED'],
      ['/stay', 'FUNCTION_TIMEOUT'],
      ['/spin', 'FUNCTION_TIMEOUT'],
    ] as const) {
      const caller = await call('greet', path)
      assert.equal(caller.error?.code, code, path)
      assert.doesNotMatch(caller.error.message, /secret detail/)
      assert.equal((await call('greet', '/after', 'all')).body, 'hello all')
    }
    assert.match(logs.map(line => line.text).join('\n'), /secret detail/)
  })

  test('code that eats memory is ended for it', async t => {
    if (backend.capabilities().memoryLimit === 'none') return t.skip('memory is not limited here')
    const caller = await call('greet', '/eat')
    assert.equal(caller.error?.code, 'FUNCTION_OUT_OF_MEMORY')
  })

  test('a cancelled call that goes on is killed after the grace', async () => {
    const caller = begin('greet', '/stay')
    for (let i = 0; i < 500 && pool.stats().inFlight === 0; i++) await sleep(10)
    caller.handle.cancel()
    for (let i = 0; i < 500 && recordOf(caller) === undefined; i++) await sleep(10)
    assert.equal(recordOf(caller)?.status, 'cancelled')
    assert.equal(pool.stats().inFlight, 0)
  })

  test('code that does not load is told with its reason', async () => {
    const broken = await call('broken', '/')
    assert.equal(broken.error?.code, 'FUNCTION_LOAD_FAILED')
    const gone = await call('gone', '/')
    assert.equal(gone.error?.code, 'FUNCTION_LOAD_FAILED')
    assert.match(gone.error.message, /exit code 7/)
  })
})
