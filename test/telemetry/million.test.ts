import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Invocation, newId } from '../../src/core/index.ts'
import { anInvocation, startTelemetry } from './fixture.ts'

const COUNT = 1_000_000
const FUNCTIONS = 100

test('among a million records one is found, a page is read from any place, and a rare function has all of its own', async () => {
  const telemetry = startTelemetry()
  const startMs = Date.now() - COUNT
  const kept: Invocation[] = []
  const rare: Invocation[] = []
  const base = anInvocation({ projectId: 'many' })
  for (let i = 0; i < COUNT; i++) {
    const startedAt = startMs + i
    const isRare = i % 100_000 === 7
    const functionId = isRare ? 'rare' : `function-${i % FUNCTIONS}`
    const record = { ...base, id: newId(startedAt), startedAt, functionId }
    telemetry.onInvocation(record)
    if (isRare) rare.push(record)
    if (i % 99_991 === 0) kept.push(record)
    if (i % 5_000 === 0) while (telemetry.counts().waiting > 10_000) await new Promise(setImmediate)
  }
  assert.equal(telemetry.counts().recordsDropped, 0)
  for (const record of kept) assert.deepEqual(await telemetry.getInvocation('many', record.id), record)
  const ofRare = await telemetry.listInvocations('many', { functionId: 'rare' }, {})
  assert.deepEqual(ofRare.items, rare.toReversed())
  for (const at of [0, 123_456, 999_999]) {
    const untilMs = startMs + at + 1
    const { items } = await telemetry.listInvocations('many', { untilMs }, { limit: 10 })
    const expected = Array.from({ length: Math.min(10, at + 1) }, (_, i) => untilMs - 1 - i)
    assert.deepEqual(
      items.map(({ startedAt }) => startedAt),
      expected,
    )
  }
  const sums = await telemetry.usage('many', { fromMs: startMs - 86_400_000, toMs: Date.now() + 86_400_000 })
  assert.equal(
    sums.reduce((calls, { calls: each }) => calls + each, 0),
    COUNT,
  )
})
