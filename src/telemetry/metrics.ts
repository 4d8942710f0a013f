import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client'
import type { Invocation } from '../core/index.ts'

const FUNCTIONS_MAX = 200 // functions with a label of their own; the rest are `other`
const LOOP_PRECISION_MS = 20
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** One value of a metric. */
export interface Sample<L extends string = string> {
  readonly labels: Readonly<Record<L, string>>
  readonly value: number
}

/** What `/metrics` shows. Parts hand in functions that are called when somebody asks, and cost nothing until then. */
export interface Metrics {
  readonly contentType: string
  text(): Promise<string>
  /** On a call's way (some 0.6 µs). */
  onInvocation(record: Invocation): void
  /** A value that goes up and down. */
  gauge(name: string, help: string, read: () => number): void
  /** Several values by label; those that are no longer read vanish. Labels must come from a small set. */
  gauges<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    read: () => Iterable<Sample<L>>,
  ): void
  /** A sum since the start that its owner keeps. */
  counter(name: string, help: string, read: () => number): void
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LOOP_PRECISION_MS })
  const calls = new Counter({
    name: 'atelier_calls_total',
    help: 'Calls by function and outcome.',
    labelNames: ['project', 'app', 'function', 'status', 'fault'] as const,
    registers,
  })
  const cold = new Counter({
    name: 'atelier_cold_starts_total',
    help: 'Calls for which an instance was started or specialised.',
    labelNames: ['project', 'app', 'function'] as const,
    registers,
  })
  const running = new Histogram({
    name: 'atelier_call_running_seconds',
    help: 'Time that calls ran.',
    labelNames: ['project', 'app', 'function'] as const,
    buckets: SECONDS,
    registers,
  })
  const queued = new Histogram({
    name: 'atelier_call_queued_seconds',
    help: 'Time that calls waited for a slot.',
    buckets: SECONDS,
    registers,
  })
  const coldStart = new Histogram({
    name: 'atelier_cold_start_seconds',
    help: 'Time that cold calls spent on starting an instance and loading the code.',
    buckets: SECONDS,
    registers,
  })

  interface Names {
    /** Its id: a name may be another project's tomorrow. */
    readonly project: string
    readonly app: string
    readonly function: string
  }
  const named = new Map<string, Names>()
  const OTHER: Names = { project: 'other', app: 'other', function: 'other' }
  const namesOf = ({ functionId, projectId, appName, functionName }: Invocation): Names => {
    const known = named.get(functionId)
    if (known) return known
    if (named.size >= FUNCTIONS_MAX) return OTHER
    const names = { project: projectId, app: appName, function: functionName }
    named.set(functionId, names)
    return names
  }

  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    onInvocation(record) {
      const names = namesOf(record)
      calls.inc({ ...names, status: record.status, fault: record.fault ?? 'none' })
      if (record.status === 'refused') return
      running.observe(names, record.runningMs / 1000)
      queued.observe(record.queuedMs / 1000)
      if (!record.cold) return
      cold.inc({ ...names })
      coldStart.observe((record.startingMs + record.initialisingMs) / 1000)
    },
    gauge(name, help, read) {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(read()) })
    },
    gauges<L extends string>(
      name: string,
      help: string,
      labels: readonly L[],
      read: () => Iterable<Sample<L>>,
    ) {
      const labelNames: readonly string[] = labels
      const gauge: Gauge<string> = new Gauge({
        name,
        help,
        registers,
        labelNames,
        collect: () => {
          gauge.reset()
          for (const { labels, value } of read()) gauge.set(labels, value)
        },
      })
    },
    counter(name, help, read) {
      const counter: Counter = new Counter({
        name,
        help,
        registers,
        collect: () => {
          counter.reset()
          counter.inc(read())
        },
      })
    },
  }
}
