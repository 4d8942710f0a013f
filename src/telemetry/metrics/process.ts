import { readdirSync, readFileSync } from 'node:fs'
import { constants, monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { type Family, type Sample, single } from './exposition.ts'
import { Histogram } from './histogram.ts'

const LOOP_PRECISION_MS = 20
const GC_SECONDS = [0.001, 0.01, 0.1, 1, 2, 5]
const GC_KINDS: ReadonlyMap<number, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MINOR, 'minor'],
  [constants.NODE_PERFORMANCE_GC_MAJOR, 'major'],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, 'incremental'],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, 'weakcb'],
])

/** Processor, memory, files, event loop and garbage collection of this process, by the names that dashboards know. */
export function processFamilies(): Family[] {
  const startedAtSeconds = Math.round(performance.timeOrigin / 1000)
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  }
  return [
    single('process_cpu_seconds_total', 'counter', 'Processor time, user and system.', cpuSeconds),
    single('process_start_time_seconds', 'gauge', 'When the process began.', () => startedAtSeconds),
    single('process_resident_memory_bytes', 'gauge', 'Resident memory.', () => process.memoryUsage.rss()),
    single('process_open_fds', 'gauge', 'Open files.', () => readdirSync('/proc/self/fd').length),
    single('process_max_fds', 'gauge', 'Open files at most.', openFilesMax),
    ...heapFamilies(),
    ...loopFamilies(),
    garbageFamily(),
    {
      name: 'nodejs_version_info',
      type: 'gauge',
      help: 'The version of Node.',
      read: () => [{ labels: { version: process.version }, value: 1 }],
    },
  ]
}

function openFilesMax(): number {
  return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Infinity)
}

function heapFamilies(): Family[] {
  const of = (name: string, help: string, field: 'heapTotal' | 'heapUsed' | 'external') =>
    single(name, 'gauge', help, () => process.memoryUsage()[field])
  return [
    of('nodejs_heap_size_total_bytes', 'Heap that JavaScript holds.', 'heapTotal'),
    of('nodejs_heap_size_used_bytes', 'Heap that JavaScript uses.', 'heapUsed'),
    of('nodejs_external_memory_bytes', 'Memory outside the heap that JavaScript holds.', 'external'),
  ]
}

/** How late the event loop comes to things, since somebody asked before; includes the precision of the measurement. */
function loopFamilies(): Family[] {
  const delay = monitorEventLoopDelay({ resolution: LOOP_PRECISION_MS })
  delay.enable()
  const of = (what: string, readNs: () => number) =>
    single(
      `nodejs_eventloop_lag_${what}_seconds`,
      'gauge',
      `Delay of the event loop since the last look: ${what}.`,
      () => readNs() / 1e9,
    )
  return [
    of('mean', () => delay.mean || 0), // not a number before the first look
    of('p50', () => delay.percentile(50)),
    of('p90', () => delay.percentile(90)),
    of('p99', () => delay.percentile(99)),
    // The last that is read begins anew.
    of('max', () => {
      const { max } = delay
      delay.reset()
      return max
    }),
  ]
}

/** What Node's types forget. */
type GarbageEntry = PerformanceEntry & { readonly detail: { readonly kind: number } }

function garbageFamily(): Family {
  const pauses = new Map([...GC_KINDS.values()].map(kind => [kind, new Histogram(GC_SECONDS)]))
  const observer = new PerformanceObserver(list => {
    for (const { detail, duration } of list.getEntries() as GarbageEntry[]) {
      pauses.get(GC_KINDS.get(detail.kind) ?? '')?.observe(duration / 1000)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return {
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    help: 'Pauses for garbage collection by kind.',
    *read(): Generator<Sample> {
      for (const [kind, histogram] of pauses) yield* histogram.samples({ kind })
    },
  }
}
