import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Lease } from '../../src/pool/index.ts'
import { aVersion, TestFleet } from '../support/fleet.ts'

const WAIT_MS = 60_000

test('an idle instance of another function makes room for a call, the one unused longest first', async () => {
  const fleet = new TestFleet({ limits: { instancesMax: 2 } })
  const [old, young, wanted] = [
    aVersion({ name: 'old' }),
    aVersion({ name: 'young' }),
    aVersion({ name: 'new' }),
  ]
  ;(await fleet.pool.acquire(old, WAIT_MS, undefined)).release('ok')
  fleet.clock.advance(10)
  ;(await fleet.pool.acquire(young, WAIT_MS, undefined)).release('ok')
  ;(await fleet.pool.acquire(wanted, WAIT_MS, undefined)).release('ok')
  assert.equal(fleet.pool.tryAcquire(old), undefined)
  assert.notEqual(fleet.pool.tryAcquire(young), undefined)
  assert.equal(fleet.pool.stats().evicted, 1)
})

test('a generic instance makes room before anything a tenant uses', async () => {
  const fleet = new TestFleet({ warm: 1, limits: { memoryMiBMax: 48 + 128 + 100 } })
  await fleet.settle()
  const big = aVersion({ name: 'big', limits: { memoryMiB: 192 } })
  const small = aVersion({ name: 'small', limits: { memoryMiB: 64 } })
  ;(await fleet.pool.acquire(small, WAIT_MS, undefined)).release('ok')
  await fleet.pass(1_000, 100)
  assert.equal(fleet.count('generic'), 1)
  ;(await fleet.pool.acquire(big, WAIT_MS, undefined)).release('ok')
  assert.notEqual(fleet.pool.tryAcquire(small), undefined)
})

test('the memory of all instances stays within the machine, whoever asks', async () => {
  const fleet = new TestFleet({ limits: { memoryMiBMax: 512 } })
  const versions = ['a', 'b', 'c'].map(name => aVersion({ name, limits: { memoryMiB: 192 } }))
  const leases = await Promise.all(
    versions.slice(0, 2).map(each => fleet.pool.acquire(each, WAIT_MS, undefined)),
  )
  const third = fleet.pool.acquire(versions[2]!, WAIT_MS, undefined)
  await fleet.settle()
  assert.equal(fleet.pool.stats().memoryReservedMiB, 384)
  leases[0]!.release('ok')
  ;(await third).release('ok')
  assert.ok(fleet.pool.stats().memoryReservedMiB <= 512)
  leases[1]!.release('ok')
})

/** Serves calls of a version one after the other, as many as are asked for at once. */
function hammer(
  fleet: TestFleet,
  version: ReturnType<typeof aVersion>,
  calls: number,
): { served: number; leases: Lease[] } {
  const state = { served: 0, leases: [] as Lease[] }
  for (let i = 0; i < calls; i++)
    void fleet.pool.acquire(version, WAIT_MS, undefined).then(lease => {
      state.served++
      state.leases.push(lease)
    })
  return state
}

for (const concurrency of [1, 4])
  test(`a project that fills the machine gives half of it to another that comes later, with ${concurrency} calls per instance`, async () => {
    const fleet = new TestFleet({ limits: { instancesMax: 8 } })
    const limits = { concurrency }
    const greedy = hammer(fleet, aVersion({ project: 'greedy', limits }), 500)
    await fleet.settle()
    assert.equal(greedy.served, 8 * concurrency)
    const late = hammer(fleet, aVersion({ project: 'late', limits }), 500)
    for (let round = 0; round < 12; round++) {
      for (const state of [greedy, late]) for (const lease of state.leases.splice(0)) lease.release('ok')
      await fleet.pass(10)
    }
    const held = (project: string) => fleet.pool.instances().filter(each => each.projectId === project).length
    assert.equal(held('late'), 4)
    assert.equal(held('greedy'), 4)
    assert.ok(late.served >= 24 * concurrency)
  })

test('where there are several projects, none can hold the whole machine with calls that never end', async () => {
  const fleet = new TestFleet({ limits: { instancesMax: 8 } })
  fleet.table.publish(
    ['greedy', 'late'].map(id => ({ kind: 'project', id, value: { id, name: id, enabled: true } })),
  )
  const endless = [1, 2, 3].map(n => hammer(fleet, aVersion({ project: 'greedy', name: `f${n}` }), 20))
  await fleet.pass(100, 10)
  assert.equal(
    endless.reduce((sum, each) => sum + each.served, 0),
    7,
  )
  const late = hammer(fleet, aVersion({ project: 'late' }), 1)
  await fleet.settle()
  assert.equal(late.served, 1)
})

test('a project at its share makes room for its own calls from its own idle instances', async () => {
  const fleet = new TestFleet({ limits: { instancesMax: 8 } })
  fleet.table.publish(
    ['greedy', 'other'].map(id => ({ kind: 'project', id, value: { id, name: id, enabled: true } })),
  )
  const old = aVersion({ project: 'greedy', name: 'old' })
  const peak = await Promise.all([1, 2, 3, 4, 5, 6, 7].map(() => fleet.pool.acquire(old, WAIT_MS, undefined)))
  for (const lease of peak) lease.release('ok')
  const next = hammer(fleet, aVersion({ project: 'greedy', name: 'new' }), 1)
  await fleet.pass(100, 10)
  assert.equal(next.served, 1)
  assert.equal(fleet.pool.stats().evicted, 1)
})

test('within a project, one function does not starve another', async () => {
  const fleet = new TestFleet({ limits: { instancesMax: 4 } })
  const greedy = hammer(fleet, aVersion({ name: 'greedy' }), 500)
  await fleet.settle()
  const late = hammer(fleet, aVersion({ name: 'late' }), 10)
  for (let round = 0; round < 8; round++) {
    for (const state of [greedy, late]) for (const lease of state.leases.splice(0)) lease.release('ok')
    await fleet.pass(10)
  }
  assert.equal(late.served, 10)
  assert.ok(greedy.served < 500)
})

test('an unused instance goes after its idle time, the surplus of a peak sooner', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ scaling: { idleMs: 120_000 } })
  const peak = await Promise.all([1, 2, 3].map(() => fleet.pool.acquire(version, WAIT_MS, undefined)))
  for (const lease of peak) lease.release('ok')
  await fleet.pass(29_000, 1_000)
  assert.equal(fleet.count('idle'), 3)
  await fleet.pass(3_000, 1_000)
  assert.equal(fleet.count('idle'), 1)
  await fleet.pass(80_000, 1_000)
  assert.equal(fleet.count('idle'), 1)
  await fleet.pass(10_000, 1_000)
  assert.equal(fleet.pool.instances().length, 0)
  assert.equal(fleet.backend.alive.length, 0)
})

test('a busy instance is never taken for unused', async () => {
  const fleet = new TestFleet()
  const lease = await fleet.pool.acquire(aVersion({ scaling: { idleMs: 1_000 } }), WAIT_MS, undefined)
  await fleet.pass(600_000, 10_000)
  assert.equal(lease.isOpen, true)
})

test('a function called every 15 seconds is kept for less than its idle time, and yet always warm', async () => {
  const fleet = new TestFleet()
  const version = aVersion({ scaling: { idleMs: 600_000 } })
  ;(await fleet.pool.acquire(version, WAIT_MS, undefined)).release('ok')
  for (let i = 0; i < 10; i++) {
    await fleet.pass(15_000, 1_000)
    fleet.pool.tryAcquire(version)!.release('ok')
  }
  await fleet.pass(60_000, 1_000)
  assert.equal(fleet.pool.instances().length, 0)
})

test('starts under way are bounded, and the rest follow as they end', async () => {
  const fleet = new TestFleet({ policy: { startsMax: 2 }, knobs: { startDelayMs: 10 } })
  const calls = ['a', 'b', 'c', 'd', 'e'].map(name =>
    fleet.pool.acquire(aVersion({ name }), WAIT_MS, undefined),
  )
  await fleet.settle()
  assert.equal(fleet.count('starting'), 2)
  for (let i = 0; i < 3; i++) await fleet.pass(10)
  assert.equal((await Promise.all(calls)).length, 5)
})
