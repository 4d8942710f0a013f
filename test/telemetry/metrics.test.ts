import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '../../src/telemetry/index.ts'
import { anInvocation } from './fixture.ts'

test('calls are counted by function, outcome and fault', async () => {
  const metrics = createMetrics()
  metrics.onInvocation(anInvocation({ runningMs: 30 }))
  metrics.onInvocation(anInvocation({ runningMs: 3, cold: true, startingMs: 5, initialisingMs: 5 }))
  metrics.onInvocation(anInvocation({ status: 'error', fault: 'function' }))
  metrics.onInvocation(anInvocation({ status: 'refused', fault: 'caller' }))
  const text = metrics.text()
  const labels = 'project="project-a",app="demo",function="hello"'
  assert.ok(text.includes(`atelier_calls_total{${labels},status="ok",fault="none"} 2`), text)
  assert.ok(text.includes(`atelier_calls_total{${labels},status="error",fault="function"} 1`))
  assert.ok(text.includes(`atelier_calls_total{${labels},status="refused",fault="caller"} 1`))
  assert.ok(text.includes(`atelier_cold_starts_total{${labels}} 1`))
  assert.ok(text.includes(`atelier_call_running_seconds_count{${labels}} 3`))
  assert.match(metrics.contentType, /^text\/plain; version=0\.0\.4/)
})

test('only so many functions have a label of their own; the rest are "other"', async () => {
  const metrics = createMetrics()
  for (let i = 0; i < 300; i++)
    metrics.onInvocation(anInvocation({ functionId: `f-${i}`, functionName: `name-${i}` }))
  const text = metrics.text()
  assert.equal(text.match(/^atelier_calls_total\{/gm)?.length, 201)
  assert.ok(
    text.includes(
      'atelier_calls_total{project="other",app="other",function="other",status="ok",fault="none"} 100',
    ),
  )
})

test('values are read when somebody asks, and those that are gone vanish', async () => {
  const metrics = createMetrics()
  let states: Record<string, number> = { idle: 2, busy: 1 }
  let total = 5
  metrics.gauge('atelier_calls_waiting', 'Waiting calls.', () => 7)
  metrics.gauges('atelier_instances', 'Instances by state.', () =>
    Object.entries(states).map(([state, value]) => ({ labels: { state }, value })),
  )
  metrics.counter('atelier_instances_started_total', 'Instances started.', () => total)
  const first = metrics.text()
  assert.ok(first.includes('atelier_calls_waiting 7'))
  assert.ok(first.includes('atelier_instances{state="idle"} 2'))
  assert.ok(first.includes('atelier_instances_started_total 5'))
  states = { busy: 3 }
  total = 8
  const second = metrics.text()
  assert.ok(!second.includes('state="idle"'))
  assert.ok(second.includes('atelier_instances{state="busy"} 3'))
  assert.ok(second.includes('atelier_instances_started_total 8'))
})

test('the process shows its memory and how late its event loop is', async () => {
  const text = createMetrics().text()
  for (const name of [
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
    'process_cpu_seconds_total',
  ])
    assert.match(text, new RegExp(`^${name} `, 'm'))
})

test('a histogram counts each value in every bucket that holds it', () => {
  const metrics = createMetrics()
  for (const queuedMs of [1, 2.5, 40, 60_000]) metrics.onInvocation(anInvocation({ queuedMs }))
  const text = metrics.text()
  const bucket = (le: string) =>
    Number(new RegExp(`^atelier_call_queued_seconds_bucket\\{le="${le}"\\} (\\d+)$`, 'm').exec(text)?.[1])
  assert.deepEqual(['0.001', '0.0025', '0.025', '0.05', '30', '\\+Inf'].map(bucket), [1, 2, 2, 3, 3, 4])
  assert.match(text, /^atelier_call_queued_seconds_sum 60\.0435$/m)
  assert.match(text, /^atelier_call_queued_seconds_count 4$/m)
})

test('a label keeps quotes, backslashes and line ends to itself', () => {
  const metrics = createMetrics()
  metrics.gauges('odd', 'Odd labels.', () => [{ labels: { name: 'a"b\\c\nd' }, value: 1 }])
  assert.ok(metrics.text().includes('odd{name="a\\"b\\\\c\\nd"} 1\n'))
})

test('every metric is described once, before its values', () => {
  const metrics = createMetrics()
  metrics.onInvocation(anInvocation({}))
  const described = [...metrics.text().matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name)
  assert.equal(new Set(described).size, described.length)
  let family = ''
  for (const line of metrics.text().trimEnd().split('\n')) {
    if (line.startsWith('# TYPE ')) family = line.split(' ')[2]!
    else if (!line.startsWith('#')) assert.ok(line.startsWith(family), line)
  }
})
