import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeBackend } from '../../src/backends/index.ts'
import type { Clock } from '../../src/core/index.ts'
import { backendSuite, GRANT_LIMITS } from '../suites/backend.ts'

const launch = { environment: 'echo', command: ['echo'], env: {}, mounts: [] }
const never = new AbortController().signal

backendSuite('fake', async () => ({
  backend: new FakeBackend({ knobs: { onStart: sandbox => void sandbox.peer.pipe(sandbox.peer) } }),
  echo: launch,
  grant: { bundlePath: '/bundles/1', limits: GRANT_LIMITS, network: 'none' },
  dispose: async () => {},
}))

test('a fake start takes as long as its knob says, on the injected clock', async () => {
  const pending: (() => void)[] = []
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    after: (_, callback) => {
      pending.push(callback)
      return () => {}
    },
  }
  const backend = new FakeBackend({ clock, knobs: { startDelayMs: 50 } })
  const starting = backend.start({ id: 'slow', launch }, never)
  assert.equal(backend.alive.length, 0)
  pending.shift()?.()
  await starting
  assert.equal(backend.alive.length, 1)
})

test('a fake start can be aborted while it takes its time', async () => {
  const backend = new FakeBackend({ knobs: { startDelayMs: 60_000 } })
  const abort = new AbortController()
  const starting = backend.start({ id: 'slow', launch }, abort.signal)
  abort.abort()
  await assert.rejects(starting, { code: 'BACKEND_FAILED' })
  assert.equal(backend.started.length, 0)
})

test('fake starts and attaches fail as often as told', async () => {
  const backend = new FakeBackend({ knobs: { failStarts: 1, failAttaches: 1 } })
  await assert.rejects(backend.start({ id: 'a', launch }, never), { code: 'BACKEND_FAILED' })
  const sandbox = await backend.start({ id: 'b', launch }, never)
  const grant = { bundlePath: '/b', limits: GRANT_LIMITS, network: 'none' } as const
  await assert.rejects(sandbox.attach(grant), { code: 'BACKEND_FAILED' })
})

test('a fake sandbox can end by itself, with the end of its stderr kept', async () => {
  const backend = new FakeBackend()
  await backend.start({ id: 'a', launch }, never)
  const sandbox = backend.alive[0]
  sandbox?.print('out of luck\n')
  sandbox?.end({ code: 137, reason: 'memory' })
  assert.deepEqual(await sandbox?.exited, {
    code: 137,
    signal: undefined,
    reason: 'memory',
    tail: 'out of luck\n',
  })
  assert.equal(backend.alive.length, 0)
})
