import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anInvocation, PROJECT, startTelemetry } from './fixture.ts'

test('records of many functions and versions in one batch are each read back as they were', async () => {
  const telemetry = startTelemetry({ limits: { flushCount: 5_000, recordsWaitingMax: 10_000 } })
  const records = Array.from({ length: 3_000 }, (_, i) =>
    anInvocation({
      functionId: `f-${i % 37}`,
      functionName: `name-${i % 37}`,
      version: 1 + (i % 3),
      memoryMiB: 128 * (1 + (i % 2)),
      instanceId: `i-${i % 11}`,
      runningMs: i / 7,
      ...(i % 5 === 0 && { status: 'error', fault: 'function', errorCode: 'E', errorMessage: `m ${i}` }),
      ...(i % 4 === 0 && { traceparent: `00-${'a'.repeat(32)}-${String(i).padStart(16, '0')}-01` }),
      ...(i % 6 === 0 && { memoryPeakBytes: i }),
    }),
  )
  for (const record of records) telemetry.onInvocation(record)
  for (const record of records.filter((_, i) => i % 97 === 0 || i > 2_990))
    assert.deepEqual(await telemetry.getInvocation(PROJECT, record.id), record)
  const later = anInvocation({ functionId: 'f-0', functionName: 'renamed' })
  telemetry.onInvocation(later)
  assert.deepEqual(await telemetry.getInvocation(PROJECT, later.id), later)
  const { items } = await telemetry.listInvocations(PROJECT, { functionId: 'f-36' }, { limit: 1_000 })
  assert.equal(items.length, records.filter(record => record.functionId === 'f-36').length)
})
