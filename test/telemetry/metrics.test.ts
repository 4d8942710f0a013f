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
  const text = await metrics.text()
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
  const text = await metrics.text()
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
  metrics.gauges('atelier_instances', 'Instances by state.', ['state'], () =>
    Object.entries(states).map(([state, value]) => ({ labels: { state }, value })),
  )
  metrics.counter('atelier_instances_started_total', 'Instances started.', () => total)
  const first = await metrics.text()
  assert.ok(first.includes('atelier_calls_waiting 7'))
  assert.ok(first.includes('atelier_instances{state="idle"} 2'))
  assert.ok(first.includes('atelier_instances_started_total 5'))
  states = { busy: 3 }
  total = 8
  const second = await metrics.text()
  assert.ok(!second.includes('state="idle"'))
  assert.ok(second.includes('atelier_instances{state="busy"} 3'))
  assert.ok(second.includes('atelier_instances_started_total 8'))
})

test('the process shows its memory and how late its event loop is', async () => {
  const text = await createMetrics().text()
  for (const name of [
    'process_resident_memory_bytes',
    'nodejs_eventloop_lag_p99_seconds',
    'process_cpu_seconds_total',
  ])
    assert.match(text, new RegExp(`^${name} `, 'm'))
})
