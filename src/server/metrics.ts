import type { AsyncCalls } from '../async/index.ts'
import type { RunningInvoker } from '../invoker/index.ts'
import type { InstanceState, Pool } from '../pool/index.ts'
import type { Router } from '../router/index.ts'
import type { CallObserver, Metrics, RunningTelemetry } from '../telemetry/index.ts'

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
}

/** What the parts know of themselves, read when somebody asks for the metrics. */
export function describeParts(
  { metrics, pool, invoker, telemetry, asyncCalls }: Described,
  router: Pick<Router, 'counters'>,
): void {
  metrics.gauges('atelier_instances', 'Instances by state and environment.', () => {
    const counts = new Map<string, { labels: { state: InstanceState; environment: string }; value: number }>()
    for (const { state, environment } of pool.instances()) {
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
