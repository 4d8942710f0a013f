import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getHeapSpaceStatistics } from 'node:v8'
import { TrimDecision, trimWhenIdle } from '../../src/server/trim.ts'

const MIB = 1024 ** 2
const grown = { requests: 5, running: 0, youngBytes: 64 * MIB }

test('memory is given back once the server has been quiet for three seconds', () => {
  const decision = new TrimDecision()
  assert.equal(decision.decide({ atMs: 10_000, ...grown }), false)
  assert.equal(decision.decide({ atMs: 12_999, ...grown }), false)
  assert.equal(decision.decide({ atMs: 13_000, ...grown }), true)
  assert.equal(decision.decide({ atMs: 20_000, ...grown }), false, 'once after each load')
})

test('a request or a call that runs makes the wait begin again', () => {
  const decision = new TrimDecision()
  decision.decide({ atMs: 0, ...grown })
  assert.equal(decision.decide({ atMs: 3_000, ...grown, requests: 6 }), false)
  assert.equal(decision.decide({ atMs: 6_000, ...grown, requests: 6, running: 1 }), false)
  assert.equal(decision.decide({ atMs: 8_000, ...grown, requests: 6 }), false)
  assert.equal(decision.decide({ atMs: 9_000, ...grown, requests: 6 }), true)
})

test('a server that holds nothing is left alone', () => {
  const decision = new TrimDecision()
  decision.decide({ atMs: 0, ...grown })
  assert.equal(decision.decide({ atMs: 60_000, ...grown, youngBytes: 2 * MIB }), false)
})

test('the space for young objects is small again after a trim', async () => {
  let kept: object[] = []
  for (let round = 0; youngBytes() < 12 * MIB && round < 100; round++)
    kept = Array.from({ length: 200_000 }, (_, i) => ({ i, kept: kept[i] === undefined }))
  assert.ok(youngBytes() >= 12 * MIB)
  let atMs = 0
  const end = trimWhenIdle(() => ({ atMs: (atMs += 3_000), requests: 0, running: 0 }))
  const until = performance.now() + 20_000
  while (youngBytes() >= 8 * MIB && performance.now() < until) await sleep(50)
  end()
  assert.ok(youngBytes() < 8 * MIB)
})

function youngBytes(): number {
  return getHeapSpaceStatistics().find(space => space.space_name === 'new_space')!.space_size
}
