import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Invocation, LogLine } from '../../src/core/index.ts'
import { observe } from '../../src/server/metrics.ts'
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
