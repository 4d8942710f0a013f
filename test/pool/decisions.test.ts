import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterFailedStart } from '../../src/pool/decisions/crash-loop.ts'
import { chooseEvictions, type Spare } from '../../src/pool/decisions/evict.ts'
import { mustYield, nextClaim } from '../../src/pool/decisions/fair.ts'
import {
  KEEP_ALIVE_DEFAULT,
  keepAliveMs,
  noGaps,
  noteGap,
  surplusKeepAliveMs,
} from '../../src/pool/decisions/keep-alive.ts'
import { type Demand, startsWanted } from '../../src/pool/decisions/starts.ts'
import { eachLine, OutputBudget } from '../../src/pool/output.ts'
import { nextState } from '../../src/pool/states.ts'

const NO_DEMAND: Demand = {
  waiting: 0,
  overdue: 0,
  starting: 0,
  serving: 0,
  slotsPerInstance: 1,
  runMs: undefined,
  startMs: 50,
  instancesMin: 0,
  instancesMax: 100,
}

test('each waiting call of a new function is worth a start, less those under way, up to the maximum', () => {
  assert.equal(startsWanted({ ...NO_DEMAND, waiting: 5 }), 5)
  assert.equal(startsWanted({ ...NO_DEMAND, waiting: 5, starting: 3 }), 2)
  assert.equal(startsWanted({ ...NO_DEMAND, waiting: 5, slotsPerInstance: 4 }), 2)
  assert.equal(startsWanted({ ...NO_DEMAND, waiting: 5, serving: 98, runMs: 1_000_000 }), 2)
  assert.equal(startsWanted({ ...NO_DEMAND, waiting: 5, starting: 100 }), 0)
})

test('calls that will have a slot sooner than a start takes are worth none', () => {
  // 2 slots, 10 ms each, 50 ms for a start: 10 calls are served before a new instance could.
  const busy = { ...NO_DEMAND, serving: 2, runMs: 10 }
  assert.equal(startsWanted({ ...busy, waiting: 10 }), 0)
  assert.equal(startsWanted({ ...busy, waiting: 11 }), 1)
  assert.equal(startsWanted({ ...busy, waiting: 10, overdue: 3 }), 3)
  assert.equal(startsWanted({ ...busy, waiting: 1, runMs: 5_000 }), 1)
})

test('instancesMin is started without any call', () => {
  assert.equal(startsWanted({ ...NO_DEMAND, instancesMin: 3, serving: 1, starting: 1 }), 1)
})

const gapsOf = (...seconds: number[]) => {
  const gaps = noGaps()
  for (const each of seconds) noteGap(gaps, each * 1_000)
  return gaps
}
const IDLE_MS = 120_000

test('a function that is not known yet is kept for its whole idle time', () => {
  assert.equal(keepAliveMs(undefined, KEEP_ALIVE_DEFAULT, IDLE_MS), IDLE_MS)
  assert.equal(keepAliveMs(gapsOf(20, 20, 20), KEEP_ALIVE_DEFAULT, IDLE_MS), IDLE_MS)
})

test('a function called every 20 seconds is kept a little longer than that', () => {
  const keepMs = keepAliveMs(gapsOf(...Array.from({ length: 30 }, () => 20)), KEEP_ALIVE_DEFAULT, IDLE_MS)
  assert.ok(keepMs > 20_000 && keepMs < 45_000, `${keepMs} ms`)
})

test('a function called once an hour is not kept for longer than the minimum, since that would not bridge its gaps', () => {
  assert.equal(keepAliveMs(gapsOf(3600, 3600, 3600, 3600, 3600), KEEP_ALIVE_DEFAULT, IDLE_MS), 10_000)
})

test('a new rhythm replaces the old one within some dozens of gaps', () => {
  const gaps = gapsOf(...Array.from({ length: 100 }, () => 3600))
  for (let i = 0; i < 100; i++) noteGap(gaps, 15_000)
  const keepMs = keepAliveMs(gaps, KEEP_ALIVE_DEFAULT, IDLE_MS)
  assert.ok(keepMs > 15_000 && keepMs < 40_000, `${keepMs} ms`)
})

test("a function's own idle time is the upper bound, also below the platform's minimum", () => {
  assert.equal(keepAliveMs(gapsOf(20, 20, 20, 20), KEEP_ALIVE_DEFAULT, 2_000), 2_000)
  assert.equal(keepAliveMs(undefined, KEEP_ALIVE_DEFAULT, 2_000), 2_000)
  assert.equal(surplusKeepAliveMs(120_000, KEEP_ALIVE_DEFAULT), 30_000)
})

test('the project that holds least goes first, then the one served longest ago, then the version that holds least', () => {
  const claim = (
    projectMemoryMiB: number,
    projectServedAt: number,
    waitingSince: number,
    versionMemoryMiB = 128,
  ) => ({ projectMemoryMiB, projectServedAt, versionMemoryMiB, waitingSince })
  assert.equal(nextClaim([]), -1)
  assert.equal(nextClaim([claim(256, 1, 1), claim(128, 9, 9)]), 1)
  assert.equal(nextClaim([claim(128, 5, 1), claim(128, 3, 9)]), 1)
  assert.equal(nextClaim([claim(128, 5, 6), claim(128, 5, 7, 0)]), 1)
  assert.equal(nextClaim([claim(128, 5, 7), claim(128, 5, 6)]), 1)
})

test('an exchange of capacity between two projects can never be wished back', () => {
  for (let a = 0; a <= 10; a++)
    for (let b = 0; b <= 10; b++)
      for (let m = 1; m <= 4; m++)
        for (let n = 1; n <= 4; n++)
          if (a >= m && mustYield(a, m, b, n)) assert.equal(mustYield(b + n, n, a - m, m), false)
})

const spare = (more: Partial<Spare>): Spare => ({
  memoryMiB: 128,
  generic: false,
  idleSince: 0,
  kept: false,
  projectMemoryMiB: 128,
  ...more,
})

test('room is made of generic instances first, then of those unused longest, and never in vain', () => {
  const spares = [
    spare({ idleSince: 5 }),
    spare({ idleSince: 3 }),
    spare({ generic: true, memoryMiB: 48, idleSince: 9 }),
  ]
  const need = { instances: 0, projectMemoryMiB: 0, needMiB: 128 }
  assert.deepEqual(chooseEvictions(spares, { ...need, memoryMiB: 40 }), [2])
  assert.deepEqual(chooseEvictions(spares, { ...need, memoryMiB: 100 }), [2, 1])
  assert.deepEqual(chooseEvictions(spares, { ...need, memoryMiB: 1_000 }), [])
  assert.deepEqual(chooseEvictions(spares, { ...need, memoryMiB: 0, instances: 2 }), [2, 1])
})

test('what instancesMin keeps is given up only by a project that holds more', () => {
  const need = { memoryMiB: 128, instances: 1, projectMemoryMiB: 0, needMiB: 128 }
  assert.deepEqual(chooseEvictions([spare({ kept: true, projectMemoryMiB: 128 })], need), [])
  assert.deepEqual(chooseEvictions([spare({ kept: true, projectMemoryMiB: 512 })], need), [0])
})

test('failed starts rest longer each time, up to a limit', () => {
  assert.deepEqual(afterFailedStart('function', 1), { restMs: 1_000, failWaiting: true })
  assert.deepEqual(afterFailedStart('function', 3), { restMs: 4_000, failWaiting: true })
  assert.deepEqual(afterFailedStart('platform', 1), { restMs: 0, failWaiting: false })
  assert.equal(afterFailedStart('platform', 50).restMs, 30_000)
})

test('an instance that is gone sees nothing more, and a generic one holds no call', () => {
  assert.throws(() => nextState('gone', 'lease'), /gone cannot see "lease"/)
  assert.throws(() => nextState('generic', 'lease'))
  assert.throws(() => nextState('draining', 'lease'))
  assert.equal(nextState('busy', 'rest'), 'idle')
})

test('output is told in lines, long lines in pieces, and empty lines cost something', () => {
  const lines: string[] = []
  eachLine(`a\n\n${'b'.repeat(20_000)}\nc`, line => lines.push(line))
  assert.deepEqual(
    lines.map(line => line.length),
    [1, 0, 16_384, 3_616, 1],
  )
  const budget = new OutputBudget(640)
  const verdicts = Array.from({ length: 12 }, () => budget.take(''))
  assert.deepEqual(verdicts.slice(9), ['keep', 'mark', 'drop'])
})
