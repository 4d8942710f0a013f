import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { SandboxExit } from '../../src/backends/index.ts'
import { createHttpContract } from '../../src/contracts/http/contract.ts'
import type { StartSpec } from '../../src/contracts/index.ts'
import { AtelierError } from '../../src/core/index.ts'
import { FakeClock } from '../support/clock.ts'

const SPEC: StartSpec = {
  entry: 'server.mjs',
  config: {},
  secrets: {},
  function: { project: 'p', app: 'a', name: 'f', version: 1 },
  instance: 'i-1',
  concurrency: 1,
  memoryMiB: 128,
  timeoutMs: 5_000,
  choice: { name: 'http' },
  port: undefined,
  cpuMillicores: 1_000,
}
const GONE: SandboxExit = { code: 7, signal: undefined, reason: 'exit', tail: '' }

/** Loads a server into which no socket can be made; `isEnding` says whether its first process is gone. */
async function load(isEnding: () => boolean) {
  const clock = new FakeClock()
  const exited = Promise.withResolvers<SandboxExit>()
  const preparation = await createHttpContract(clock).prepare(SPEC)
  const refusal = new AtelierError('BACKEND_FAILED', 'no socket could be made in it')
  const access = { exited: exited.promise, isEnding, connect: () => Promise.reject(refusal) }
  const link = preparation.open(access as unknown as Parameters<typeof preparation.open>[0], {
    onLog() {},
    onClose() {},
  })
  const loading = link.load(SPEC).then(
    () => 'LOADED',
    (error: AtelierError) => error.code,
  )
  const pass = async () => {
    await turn()
    clock.advance(250)
    await turn()
  }
  return { loading, exited, pass }
}

test('a process that ends while nobody can get in is the function’s fault, however long its end takes to be told', async () => {
  const { loading, exited, pass } = await load(() => true)
  for (let i = 0; i < 20; i++) await pass()
  exited.resolve(GONE)
  assert.equal(await loading, 'FUNCTION_LOAD_FAILED')
})

test('one that lives, and that nobody can get into, is the platform’s', async () => {
  const { loading, pass } = await load(() => false)
  await pass()
  assert.equal(await loading, 'BACKEND_FAILED')
})

test('an end that is never told is waited for only so long', async () => {
  const { loading, pass } = await load(() => true)
  for (let i = 0; i < 61; i++) await pass()
  assert.equal(await loading, 'BACKEND_FAILED')
})
