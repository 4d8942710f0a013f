import type { AsyncCalls } from '../async/index.ts'
import type { FunctionTable } from '../core/index.ts'
import type { RunningInvoker } from '../invoker/index.ts'
import type { InstanceState, Pool } from '../pool/index.ts'
import type { Router } from '../router/index.ts'
import type { CallObserver, Metrics, RunningTelemetry } from '../telemetry/index.ts'

const FUNCTIONS_MAX = 200 // those whose instances hold the most memory have labels of their own; the rest are `other`

/** Every call is told to both: one keeps records, the other counts. */
export function observe(telemetry: CallObserver, metrics: Metrics): CallObserver {
  return {
    onInvocation(record) {
      telemetry.onInvocation(record)
      metrics.onInvocation(record)
    },
    onLog: line => telemetry.onLog(line),
  }
}

interface Described {
  readonly metrics: Metrics
  readonly pool: Pool
  readonly invoker: RunningInvoker
  readonly telemetry: RunningTelemetry
  readonly asyncCalls: AsyncCalls
  readonly table: Pick<FunctionTable, 'functions'>
}

/** What the parts know of themselves, read when somebody asks for the metrics. */
export function describeParts(
  { metrics, pool, invoker, telemetry, asyncCalls, table }: Described,
  router: Pick<Router, 'counters'>,
  version: string,
): void {
  // To look at each instance's memory costs a system call or more, so one look serves all that is told at once.
  let seen: ReturnType<Pool['instances']> | undefined
  const instances = () => {
    if (!seen) queueMicrotask(() => (seen = undefined))
    return (seen ??= pool.instances())
  }
  metrics.gauges('atelier_build_info', 'The version that runs; always 1.', () => [
    { labels: { version }, value: 1 },
  ])
  metrics.gauges('atelier_instance_memory_bytes', 'Memory that the instances of a function hold.', () =>
    memoryByFunction(instances(), table),
  )
  metrics.gauges('atelier_instances', 'Instances by state and environment.', () => {
    const counts = new Map<string, { labels: { state: InstanceState; environment: string }; value: number }>()
    for (const { state, environment } of instances()) {
      const key = `${state} ${environment}`
      const known = counts.get(key)
      if (known) known.value++
      else counts.set(key, { labels: { state, environment }, value: 1 })
    }
    return counts.values()
  })
  metrics.counter('atelier_instances_started_total', 'Sandboxes started.', () => pool.stats().started)
  metrics.counter(
    'atelier_instance_starts_failed_total',
    'Sandboxes that did not start.',
    () => pool.stats().startsFailed,
  )
  metrics.gauge('atelier_calls_waiting', 'Calls that wait for an instance.', () => pool.stats().waiting)
  metrics.gauge('atelier_calls_in_hand', 'Calls admitted and not over.', () => invoker.inHand)
  metrics.counter(
    'atelier_router_requests_total',
    'Requests that the router got.',
    () => router.counters.requests,
  )
  metrics.gauge(
    'atelier_router_connections',
    'Connections open at the router.',
    () => router.counters.connectionsOpen,
  )
  metrics.counter(
    'atelier_router_malformed_total',
    'Requests refused as malformed.',
    () => router.counters.malformed,
  )
  metrics.counter(
    'atelier_router_aborted_total',
    'Requests whose client left.',
    () => router.counters.aborted,
  )
  const dropped = () => telemetry.counts()
  metrics.counter(
    'atelier_records_dropped_total',
    'Invocation records dropped.',
    () => dropped().recordsDropped,
  )
  metrics.counter('atelier_log_lines_dropped_total', 'Log lines dropped.', () => dropped().linesDropped)
  describeAsyncCalls(metrics, asyncCalls)
}

function memoryByFunction(
  instances: ReturnType<Pool['instances']>,
  table: Described['table'],
): readonly { labels: Record<string, string>; value: number }[] {
  const bytes = new Map<string, number>()
  for (const { functionId, memoryBytes } of instances)
    if (functionId !== undefined) bytes.set(functionId, (bytes.get(functionId) ?? 0) + memoryBytes)
  const sorted = [...bytes].sort(([, a], [, b]) => b - a)
  const shown = sorted.slice(0, FUNCTIONS_MAX).flatMap(([id, value]) => {
    // One that was deleted a moment ago is not there any more.
    const owner = table.functions.get(id)
    if (!owner) return []
    return [{ labels: { project: owner.projectId, app: owner.appName, function: owner.name }, value }]
  })
  const rest = sorted.slice(FUNCTIONS_MAX).reduce((sum, [, value]) => sum + value, 0)
  const other = { project: 'other', app: 'other', function: 'other' }
  return rest > 0 ? [...shown, { labels: other, value: rest }] : shown
}

function describeAsyncCalls(metrics: Metrics, calls: AsyncCalls): void {
  metrics.gauge('atelier_async_queued', 'Asynchronous calls that wait.', () => calls.counters.queued)
  metrics.gauge('atelier_async_running', 'Asynchronous calls that run here.', () => calls.counters.running)
  for (const [name, help] of [
    ['accepted', 'Asynchronous calls accepted.'],
    ['refused', 'Asynchronous calls refused: a queue was full, or the disk.'],
    ['attempts', 'Attempts of asynchronous calls.'],
    ['retries', 'Attempts after the first.'],
    ['succeeded', 'Asynchronous calls that succeeded.'],
    ['failed', 'Asynchronous calls that became dead letters.'],
    ['expired', 'Asynchronous calls that grew too old.'],
    ['cancelled', 'Asynchronous calls that were called off.'],
    ['recovered', 'Asynchronous calls taken up from a process that was lost.'],
  ] as const)
    metrics.counter(`atelier_async_${name}_total`, help, () => calls.counters[name])
}
