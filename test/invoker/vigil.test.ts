import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Vigil } from '../../src/invoker/vigil.ts'

/** A vigil on a clock that stands still unless it is moved, and how often the vigil has looked at it. */
function vigilWith(processors: number) {
  const clock = {
    ms: 1_000,
    looks: 0,
    now: () => 0,
    monotonic() {
      this.looks++
      return this.ms
    },
    after: () => () => {},
  }
  /** Whether it stays awake over the next turns of the event loop. */
  const isAwake = async () => {
    await turn()
    const before = clock.looks
    for (let turns = 0; turns < 3; turns++) await turn()
    return clock.looks > before
  }
  return { vigil: new Vigil(clock, processors), clock, isAwake }
}

test('a lone call keeps the thread awake until it is over, and a moment for the next', async () => {
  const { vigil, clock, isAwake } = vigilWith(2)
  vigil.begin(clock.ms, 1)
  assert.equal(await isAwake(), true)
  vigil.end(clock.ms)
  assert.equal(await isAwake(), true)
  clock.ms += 0.1
  assert.equal(await isAwake(), false)
})

test('one call among several keeps nothing awake, and ends the watch over the first', async () => {
  const { vigil, clock, isAwake } = vigilWith(2)
  vigil.begin(clock.ms, 2)
  assert.equal(await isAwake(), false)
  vigil.begin(clock.ms, 1)
  assert.equal(await isAwake(), true)
  vigil.begin(clock.ms, 2)
  assert.equal(await isAwake(), false)
})

test('a single processor is left to the code', async () => {
  const { vigil, clock, isAwake } = vigilWith(1)
  vigil.begin(clock.ms, 1)
  assert.equal(await isAwake(), false)
})

test('the more answers come late, the fewer calls are waited for; one that comes in time is trusted again', async () => {
  const { vigil, clock, isAwake } = vigilWith(2)
  /** How many calls pass until one is waited for. */
  const passed = async () => {
    for (let calls = 0; ; calls++) {
      vigil.begin(clock.ms, 1)
      if (await isAwake()) return calls
      vigil.end(clock.ms)
    }
  }
  const late = async () => {
    clock.ms += 1
    assert.equal(await isAwake(), false)
    vigil.end(clock.ms)
  }
  const gaps: number[] = []
  for (let tries = 0; tries < 8; tries++) {
    gaps.push(await passed())
    await late()
  }
  assert.deepEqual(gaps, [0, 1, 2, 4, 8, 16, 32, 64])
  assert.equal(await passed(), 64)
  vigil.end(clock.ms)
  clock.ms += 1
  assert.equal(await isAwake(), false)
  assert.equal(await passed(), 0)
  vigil.end(clock.ms)
  clock.ms += 1
})
