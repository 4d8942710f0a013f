import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../src/core/index.ts'
import { aVersion, TestFleet } from '../support/fleet.ts'

const OWN = { name: 'scripted' }

test('a version with a contract of its own starts its own process, though a generic instance waits', async () => {
  const fleet = new TestFleet({ warm: 1 })
  await fleet.pass(10)
  assert.equal(fleet.count('generic'), 1)
  const lease = await fleet.pool.acquire(aVersion({ contract: OWN }), 1_000, undefined)
  assert.equal(fleet.count('generic'), 1)
  const { spec } = fleet.backend.started.at(-1)!
  assert.deepEqual(spec.launch.command, ['run', 'index.js'])
  assert.deepEqual(spec.launch.env, { OWN: '1' })
  assert.equal(spec.launch.directory, '/function')
  assert.equal(spec.grant?.bundlePath, '/bundles/sha256:f1')
  lease.release('ok')
})

test('what such a process says before it is ready is already its function’s log', async () => {
  const fleet = new TestFleet()
  fleet.contract.onLoad = () => fleet.backend.started.at(-1)!.print('at its start\n')
  const lease = await fleet.pool.acquire(aVersion({ contract: OWN }), 1_000, undefined)
  await fleet.settle()
  assert.deepEqual(
    fleet.logs.map(line => line.text),
    ['at its start'],
  )
  lease.release('ok')
})

test('what such a process prints is the call’s that runs alone, or has just ended alone', async () => {
  const fleet = new TestFleet()
  fleet.contract.capabilities = { ...fleet.contract.capabilities, concurrency: true }
  const version = aVersion({ contract: OWN, limits: { concurrency: 2 } })
  const call = async (number: number) => {
    const lease = await fleet.pool.acquire(version, 1_000, undefined)
    lease.attachCall(number, `call-${number}`)
    return lease
  }
  const print = async (text: string) => {
    fleet.backend.started.at(-1)!.print(`${text}\n`)
    await fleet.settle()
  }
  const first = await call(1)
  await print('while it runs')
  first.release('ok')
  await print('a little late')
  await fleet.pass(1_000)
  await print('much too late')
  const [second, third] = [await call(2), await call(3)]
  await print('of one of two')
  second.release('ok')
  third.release('ok')
  await print('late of one of two')
  assert.deepEqual(
    fleet.logs.map(({ text, invocationId }) => [text, invocationId]),
    [
      ['while it runs', 'call-1'],
      ['a little late', 'call-1'],
      ['much too late', undefined],
      ['of one of two', undefined],
      ['late of one of two', undefined],
    ],
  )
})

test('a process that serves one call is not used for a second', async () => {
  const fleet = new TestFleet()
  fleet.contract.capabilities = { ...fleet.contract.capabilities, concurrency: false, callsMax: 1 }
  const version = aVersion({ contract: OWN, limits: { concurrency: 10 } })
  const first = await fleet.pool.acquire(version, 1_000, undefined)
  assert.equal(fleet.pool.tryAcquire(version), undefined)
  first.release('ok')
  assert.equal(fleet.pool.tryAcquire(version), undefined)
  await fleet.settle()
  assert.equal(fleet.backend.alive.length, 0)
  const second = await fleet.pool.acquire(version, 1_000, undefined)
  assert.notEqual(second.instanceId, first.instanceId)
  second.release('ok')
})

test('why such a process does not become ready is told as the contract says it', async () => {
  const fleet = new TestFleet()
  fleet.contract.onLoad = () => {
    throw new AtelierError('FUNCTION_LOAD_FAILED', 'it does not listen')
  }
  const failing = fleet.pool.acquire(aVersion({ contract: OWN }), 1_000, undefined)
  await assert.rejects(failing, { code: 'FUNCTION_LOAD_FAILED', message: 'it does not listen' })
  await fleet.settle()
  assert.equal(fleet.backend.alive.length, 0)
  assert.ok(fleet.logs.some(line => line.text === 'it does not listen'))
})

test('an environment that starts no such process says so', async () => {
  const fleet = new TestFleet()
  const failing = fleet.pool.acquire(aVersion({ contract: { name: 'other' } }), 1_000, undefined)
  await assert.rejects(failing, /environment "nodejs" starts no process for contract "other"/)
})
