import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Invocation, LogLine } from '../../src/core/index.ts'
import { describeParts, observe } from '../../src/server/metrics.ts'
import { createMetrics } from '../../src/telemetry/index.ts'

const RECORD: Invocation = {
  id: '01',
  projectId: 'p',
  functionId: 'f',
  functionName: 'hello',
  appName: 'default',
  version: 1,
  trigger: 'http',
  status: 'ok',
  httpStatus: 200,
  cold: true,
  startedAt: 0,
  queuedMs: 0,
  startingMs: 1,
  initialisingMs: 1,
  runningMs: 2,
  billedMs: 3,
  memoryMiB: 128,
  bytesIn: 0,
  bytesOut: 5,
}

test('a call is told to the records and counted, a line of output only to the records', async () => {
  const records: Invocation[] = []
  const lines: LogLine[] = []
  const metrics = createMetrics()
  const observer = observe(
    { onInvocation: record => records.push(record), onLog: line => lines.push(line) },
    metrics,
  )
  observer.onInvocation(RECORD)
  const line: LogLine = {
    at: 1,
    projectId: 'p',
    functionId: 'f',
    version: 1,
    instanceId: 'i',
    stream: 'stdout',
    text: 'hi',
  }
  observer.onLog(line)
  assert.deepEqual(records, [RECORD])
  assert.deepEqual(lines, [line])
  assert.match(metrics.text(), /atelier_calls_total\{.*function="hello".*\} 1/)
})

test('memory is told by function, as far as labels go, and the rest together', () => {
  const metrics = createMetrics()
  const functions = new Map(
    Array.from({ length: 202 }, (_, i) => [`f${i}`, { projectId: 'p', appName: 'default', name: `n${i}` }]),
  )
  const instances = [...functions.keys()].flatMap((functionId, i) => [
    { functionId, memoryBytes: 1000 - i, state: 'idle', environment: 'nodejs' },
    { functionId, memoryBytes: 1, state: 'busy', environment: 'nodejs' },
  ])
  const parts = { metrics, pool: { instances: () => instances, stats: () => ({}) }, table: { functions } }
  const others = { invoker: {}, telemetry: { counts: () => ({}) }, asyncCalls: { counters: {} } }
  describeParts({ ...parts, ...others } as never, { counters: {} } as never, '1.2.3')
  const text = metrics.text()
  const shown = text.split('\n').filter(line => line.startsWith('atelier_instance_memory_bytes{'))
  assert.equal(shown.length, 201)
  assert.equal(shown[0], 'atelier_instance_memory_bytes{project="p",app="default",function="n0"} 1001')
  assert.equal(
    shown.at(-1),
    'atelier_instance_memory_bytes{project="other",app="other",function="other"} 1601',
  )
  assert.match(text, /^atelier_build_info\{version="1\.2\.3"\} 1$/m)
})
