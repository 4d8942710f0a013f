import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AtelierError } from '../../src/core/index.ts'
import type { Lease } from '../../src/pool/index.ts'
import { aFunction, aVersion, TestFleet } from '../support/fleet.ts'

const NO_SIGNAL = undefined

test('a first call starts an instance for its version, with the grant from the beginning', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ secrets: ['KEY'] })
  assert.equal(fleet.pool.tryAcquire(version), undefined)
  const lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  assert.equal(lease.cold, true)
  assert.equal(fleet.backend.started[0]!.spec.grant?.bundlePath, '/bundles/sha256:f1')
  assert.deepEqual(fleet.contract.links[0]!.spec!.secrets, { KEY: 'value of KEY' })
  lease.release('ok')
  const again = fleet.pool.tryAcquire(version)!
  assert.equal(again.cold, false)
  assert.equal(again.instanceId, lease.instanceId)
})

test('a warm generic instance is specialised, and replaced after a calm moment', async () => {
  const fleet = new TestFleet({ warm: 2, knobs: { startDelayMs: 10 } })
  await fleet.pass(10)
  await fleet.pass(10)
  await fleet.pass(10)
  assert.equal(fleet.count('generic'), 2)
  const lease = await fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL)
  assert.equal(fleet.backend.started.length, 2)
  assert.equal(fleet.backend.started[1]!.spec.grant, undefined)
  assert.equal(fleet.backend.started[1]!.grant?.bundlePath, '/bundles/sha256:f1')
  assert.equal(fleet.count('generic'), 1)
  await fleet.pass(99)
  assert.equal(fleet.backend.started.length, 2)
  await fleet.pass(1)
  await fleet.pass(10)
  assert.equal(fleet.count('generic'), 2)
  lease.release('ok')
})

test('what starts with its code is generic without a hello, and hears what to load when it has the code', async () => {
  const fleet = new TestFleet({ warm: 1, startsWithCode: true })
  fleet.contract.isMute = true
  await fleet.pass(10)
  assert.equal(fleet.count('generic'), 1)
  assert.equal(fleet.backend.started[0]!.spec.launch.env['ATELIER_GENERIC'], undefined)
  fleet.contract.onLoad = () =>
    assert.equal(fleet.backend.started[0]!.grant?.bundlePath, '/bundles/sha256:f1')
  const lease = await fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL)
  assert.equal(fleet.backend.started.length, 1)
  assert.equal(lease.cold, true)
  lease.release('ok')
})

test('a version whose limits no generic instance can be given late gets one of its own', async () => {
  const fleet = new TestFleet({ warm: 1, knobs: { fits: limits => limits.processesMax <= 64 } })
  await fleet.pass(10)
  assert.equal(fleet.count('generic'), 1)
  const version = aVersion({ limits: { processesMax: 65 } })
  const lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  assert.equal(fleet.count('generic'), 1)
  assert.equal(fleet.backend.started.at(-1)!.spec.grant?.limits.processesMax, 65)
  lease.release('ok')
})

test('a slot is given back once, however often it is released', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ scaling: { instancesMax: 1 } })
  const first = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  first.release('ok')
  const second = fleet.pool.tryAcquire(version)!
  first.release('ok')
  first.release('broken')
  assert.equal(fleet.pool.tryAcquire(version), undefined)
  assert.equal(fleet.pool.stats().inFlight, 1)
  second.release('ok')
})

test('an instance holds as many calls as its concurrency, and the oldest waiting call gets the next slot', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ limits: { concurrency: 2 }, scaling: { instancesMax: 1 } })
  const first = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  const second = fleet.pool.tryAcquire(version)!
  assert.equal(first.instanceId, second.instanceId)
  const order: number[] = []
  const waiting = [1, 2].map(async number => {
    const lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
    order.push(number)
    return lease
  })
  await fleet.settle()
  assert.deepEqual(order, [])
  second.release('ok')
  await fleet.settle()
  assert.deepEqual(order, [1])
  first.release('ok')
  await Promise.all(waiting)
  assert.equal(fleet.backend.started.length, 1)
})

test('a full queue refuses at once with a time to come back', async () => {
  const fleet = new TestFleet({ policy: { pendingMax: 2 } })
  const version = aVersion({ scaling: { instancesMax: 1 } })
  const lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  const waiting = [
    fleet.pool.acquire(version, 1_000, NO_SIGNAL),
    fleet.pool.acquire(version, 1_000, NO_SIGNAL),
  ]
  await assert.rejects(fleet.pool.acquire(version, 1_000, NO_SIGNAL), {
    code: 'TOO_MANY_REQUESTS',
    retryAfterS: 1,
  })
  lease.release('ok')
  ;(await waiting[0])!.release('ok')
  ;(await waiting[1])!.release('ok')
})

test('a call waits no longer than it may, and a caller that left frees its place', async () => {
  const fleet = new TestFleet({ policy: { pendingMax: 1 } })
  const version = aVersion({ scaling: { instancesMax: 1 } })
  const lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  const late = fleet.pool.acquire(version, 500, NO_SIGNAL)
  fleet.clock.advance(500)
  await assert.rejects(late, { code: 'UNAVAILABLE' })
  const leaving = new AbortController()
  const left = fleet.pool.acquire(version, 500, leaving.signal)
  leaving.abort()
  await assert.rejects(left, { code: 'CANCELLED' })
  const next = fleet.pool.acquire(version, 500, NO_SIGNAL)
  lease.release('ok')
  ;(await next).release('ok')
  assert.equal(fleet.pool.stats().waiting, 0)
})

test('waiting calls start instances up to the maximum of the function', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ scaling: { instancesMax: 3 } })
  const waiting = Array.from({ length: 5 }, () => fleet.pool.acquire(version, 1_000, NO_SIGNAL))
  await fleet.settle()
  assert.equal(fleet.backend.started.length, 3)
  const leases = await Promise.all(waiting.slice(0, 3))
  for (const lease of leases) lease.release('ok')
  await Promise.all(waiting)
})

test('a call that waits longer than a start takes gets an instance though calls were short on average', async () => {
  const fleet = new TestFleet()
  const version = aVersion()
  const first = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  first.release('ok')
  const second = fleet.pool.tryAcquire(version)!
  const waiting = fleet.pool.acquire(version, 60_000, NO_SIGNAL)
  await fleet.settle()
  assert.equal(fleet.backend.started.length, 1, 'calls take no time so far: not worth a start')
  await fleet.pass(100)
  assert.equal(fleet.backend.started.length, 2)
  ;(await waiting).release('ok')
  second.release('ok')
})

test('a broken instance takes no call any more and goes when its other calls are over', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ limits: { concurrency: 2 } })
  const first = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  const second = fleet.pool.tryAcquire(version)!
  first.release('broken')
  assert.equal(fleet.pool.tryAcquire(version), undefined)
  assert.equal(fleet.count('draining'), 1)
  second.release('ok')
  await fleet.settle()
  assert.equal(fleet.backend.alive.length, 0)
  assert.deepEqual(fleet.pool.instances(), [])
})

test('code that does not load fails its calls at once for a while, and is tried again after it', async () => {
  const fleet = new TestFleet()
  const version = aVersion()
  fleet.contract.onLoad = () => {
    throw new AtelierError('FUNCTION_LOAD_FAILED', 'no module "x"')
  }
  // What the code says is in its log alone; whoever calls is told where to look.
  const told = { code: 'FUNCTION_LOAD_FAILED', message: /could not be loaded; the function's log tells why/ }
  await assert.rejects(fleet.pool.acquire(version, 1_000, NO_SIGNAL), told)
  await assert.rejects(fleet.pool.acquire(version, 1_000, NO_SIGNAL), told)
  assert.equal(fleet.backend.started.length, 1)
  assert.equal(fleet.logs[0]?.text, 'no module "x"')
  fleet.contract.onLoad = () => {}
  await fleet.pass(1_000)
  ;(await fleet.pool.acquire(version, 1_000, NO_SIGNAL)).release('ok')
  assert.equal(fleet.backend.started.length, 2)
})

test('code that ends while it is loaded is told with its exit', async () => {
  const fleet = new TestFleet()
  fleet.contract.onLoad = () => {
    fleet.backend.started[0]!.end({ code: 3 })
    return new Promise(() => {})
  }
  const call = fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL)
  const refused = assert.rejects(call, { code: 'FUNCTION_LOAD_FAILED', message: /exit code 3/ })
  await fleet.settle()
  await refused
})

test('code that takes too long to load is killed and counts as not loading', async () => {
  const fleet = new TestFleet({ policy: { loadMsMax: 5_000 } })
  fleet.contract.onLoad = () => new Promise(() => {})
  const refused = assert.rejects(fleet.pool.acquire(aVersion(), 60_000, NO_SIGNAL), {
    code: 'FUNCTION_LOAD_FAILED',
    message: /within 5000 ms/,
  })
  await fleet.settle()
  await fleet.pass(5_000)
  await refused
  assert.equal(fleet.backend.alive.length, 0)
})

test('a sandbox that cannot be started is tried once more before the calls fail', async () => {
  const fleet = new TestFleet({ knobs: { failStarts: 1 } })
  ;(await fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL)).release('ok')
  fleet.backend.knobs.failStarts = 2
  await assert.rejects(fleet.pool.acquire(aVersion({ name: 'g' }), 1_000, NO_SIGNAL), {
    code: 'BACKEND_FAILED',
  })
  assert.equal(fleet.troubles.length, 3)
  assert.equal(fleet.pool.stats().memoryReservedMiB, 128)
})

test('an idle instance that dies is forgotten, and the next call starts another', async () => {
  const fleet = new TestFleet()
  const version = aVersion()
  ;(await fleet.pool.acquire(version, 1_000, NO_SIGNAL)).release('ok')
  fleet.backend.started[0]!.end({ code: 1 })
  await fleet.settle()
  assert.equal(fleet.pool.tryAcquire(version), undefined)
  ;(await fleet.pool.acquire(version, 1_000, NO_SIGNAL)).release('ok')
  assert.equal(fleet.backend.started.length, 2)
})

test('an instance that behaved oddly and does not answer is removed', async () => {
  const fleet = new TestFleet()
  const version = aVersion()
  fleet.contract.answersPing = false
  ;(await fleet.pool.acquire(version, 1_000, NO_SIGNAL)).release('suspect')
  await fleet.settle()
  assert.equal(fleet.backend.alive.length, 0)
})

test('an idle instance that computes all the time is asked whether it lives', async () => {
  const fleet = new TestFleet()
  const version = aVersion()
  ;(await fleet.pool.acquire(version, 1_000, NO_SIGNAL)).release('ok')
  await fleet.pass(5_000, 1_000)
  assert.equal(fleet.contract.links[0]!.pings, 0)
  fleet.backend.started[0]!.cpuMs += 4_900
  fleet.contract.answersPing = false
  await fleet.pass(5_000, 1_000)
  assert.equal(fleet.contract.links[0]!.pings, 1)
  assert.equal(fleet.backend.alive.length, 0)
})

test('an operator can end an instance by its id', async () => {
  const fleet = new TestFleet()
  const lease = await fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL)
  assert.equal(await fleet.pool.kill('nobody', 'why'), false)
  assert.equal(await fleet.pool.kill(lease.instanceId, 'an operator ended it'), true)
  assert.equal(lease.endedBecause, 'an operator ended it')
  assert.equal(lease.isOpen, false)
  lease.release('broken')
  assert.deepEqual(fleet.pool.stats().inFlight, 0)
})

test('closing waits for calls within the grace, takes nothing new, and leaves nothing behind', async () => {
  const fleet = new TestFleet({ warm: 1 })
  await fleet.settle()
  const version = aVersion({ scaling: { instancesMax: 1 } })
  const lease: Lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  const waiting = fleet.pool.acquire(version, 10_000, NO_SIGNAL)
  const closed = fleet.pool.close(5_000)
  await assert.rejects(fleet.pool.acquire(version, 1_000, NO_SIGNAL), { code: 'UNAVAILABLE' })
  lease.release('ok')
  ;(await waiting).release('ok')
  await closed
  assert.equal(fleet.backend.alive.length, 0)
  assert.equal(fleet.pool.stats().memoryReservedMiB, 0)
})

test('closing ends what is still running when the grace is over', async () => {
  const fleet = new TestFleet()
  const lease = await fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL)
  const closed = fleet.pool.close(5_000)
  await fleet.pass(5_000)
  await closed
  assert.equal(lease.isOpen, false)
  assert.equal(fleet.backend.alive.length, 0)
})

test('a function that asks for more than the machine has is told so at once', async () => {
  const fleet = new TestFleet({ limits: { memoryMiBMax: 100 } })
  await assert.rejects(fleet.pool.acquire(aVersion(), 1_000, NO_SIGNAL), {
    code: 'BACKEND_FAILED',
    message: /128 MiB/,
  })
})

test('a deploy retires the old version after a while without failing its calls', async () => {
  const fleet = new TestFleet({ policy: { retireAfterMs: 10_000 } })
  const [one, two] = [aVersion({ number: 1 }), aVersion({ number: 2 })]
  fleet.publish(aFunction([one]))
  const running = await fleet.pool.acquire(one, 1_000, NO_SIGNAL)
  const idle = await fleet.pool.acquire(one, 1_000, NO_SIGNAL)
  idle.release('ok')
  fleet.publish(aFunction([one, two]))
  ;(await fleet.pool.acquire(two, 1_000, NO_SIGNAL)).release('ok')
  await fleet.pass(10_000)
  assert.equal(running.isOpen, true)
  assert.equal(idle.isOpen, false)
  running.release('ok')
  await fleet.settle()
  assert.deepEqual(
    fleet.pool.instances().map(each => each.version),
    [2],
  )
})

test('a version rolled back to within the while keeps its instances', async () => {
  const fleet = new TestFleet({ policy: { retireAfterMs: 10_000 } })
  const [one, two] = [aVersion({ number: 1 }), aVersion({ number: 2 })]
  ;(await fleet.pool.acquire(one, 1_000, NO_SIGNAL)).release('ok')
  fleet.publish(aFunction([one, two]))
  await fleet.pass(5_000)
  fleet.publish(aFunction([two, one]))
  await fleet.pass(5_000)
  assert.notEqual(fleet.pool.tryAcquire(one), undefined)
})

test('a deleted function fails its waiting calls and loses its instances when they are done', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ scaling: { instancesMax: 1 } })
  fleet.publish(aFunction([version]))
  const lease = await fleet.pool.acquire(version, 1_000, NO_SIGNAL)
  const waiting = assert.rejects(fleet.pool.acquire(version, 1_000, NO_SIGNAL), { code: 'NOT_FOUND' })
  fleet.table.publish([{ kind: 'function', id: version.functionId, value: undefined }])
  await waiting
  assert.equal(lease.isOpen, true)
  lease.release('ok')
  await fleet.settle()
  assert.equal(fleet.backend.alive.length, 0)
})

test('instancesMin of the live version is kept warm, and replaced when it dies', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ scaling: { instancesMin: 2 } })
  fleet.publish(aFunction([version]))
  await fleet.settle()
  assert.equal(fleet.count('idle'), 2)
  await fleet.pass(600_000, 60_000)
  assert.equal(fleet.count('idle'), 2)
  fleet.backend.alive[0]!.end()
  await fleet.settle()
  await fleet.settle()
  assert.equal(fleet.count('idle'), 2)
})
