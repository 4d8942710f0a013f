import type { Invocation } from '../../core/index.ts'
import type { Family, Labels, Sample } from './exposition.ts'
import { Histogram } from './histogram.ts'

const FUNCTIONS_MAX = 200 // functions with a label of their own; the rest are `other`
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const STATUSES: readonly Invocation['status'][] = ['ok', 'error', 'timeout', 'cancelled', 'refused']
const FAULTS: readonly (NonNullable<Invocation['fault']> | 'none')[] = [
  'none',
  'caller',
  'function',
  'platform',
]

/** What is counted of one function's calls. */
interface Counted {
  readonly labels: Labels
  /** By status, then by fault. */
  readonly outcomes: number[]
  readonly running: Histogram
  cold: number
}

/** Calls by function: how they ended, how long they took. On a call's way, so it counts in place. */
export class CallCounts {
  /** By the function's id: its name may be another project's tomorrow. */
  readonly #functions = new Map<string, Counted>()
  readonly #other = counted({ project: 'other', app: 'other', function: 'other' })
  readonly #queued = new Histogram(SECONDS)
  readonly #coldStart = new Histogram(SECONDS)

  count(record: Invocation): void {
    const of = this.#countedOf(record)
    const { status, fault = 'none' } = record
    of.outcomes[STATUSES.indexOf(status) * FAULTS.length + FAULTS.indexOf(fault)]!++
    if (status === 'refused') return
    of.running.observe(record.runningMs / 1000)
    this.#queued.observe(record.queuedMs / 1000)
    if (!record.cold) return
    of.cold++
    this.#coldStart.observe((record.startingMs + record.initialisingMs) / 1000)
  }

  families(): Family[] {
    return [
      {
        name: 'atelier_calls_total',
        type: 'counter',
        help: 'Calls by function and outcome.',
        read: () => this.#outcomes(),
      },
      {
        name: 'atelier_cold_starts_total',
        type: 'counter',
        help: 'Calls for which an instance was started or specialised.',
        read: () =>
          [...this.#all()]
            .filter(({ cold }) => cold > 0)
            .map(({ labels, cold }) => ({ labels, value: cold })),
      },
      {
        name: 'atelier_call_running_seconds',
        type: 'histogram',
        help: 'Time that calls ran.',
        read: () => [...this.#all()].flatMap(({ labels, running }) => [...running.samples(labels)]),
      },
      {
        name: 'atelier_call_queued_seconds',
        type: 'histogram',
        help: 'Time that calls waited for a slot.',
        read: () => this.#queued.samples({}),
      },
      {
        name: 'atelier_cold_start_seconds',
        type: 'histogram',
        help: 'Time that cold calls spent on starting an instance and loading the code.',
        read: () => this.#coldStart.samples({}),
      },
    ]
  }

  #countedOf({ functionId, projectId, appName, functionName }: Invocation): Counted {
    const known = this.#functions.get(functionId)
    if (known) return known
    if (this.#functions.size >= FUNCTIONS_MAX) return this.#other
    const fresh = counted({ project: projectId, app: appName, function: functionName })
    this.#functions.set(functionId, fresh)
    return fresh
  }

  *#all(): Generator<Counted> {
    yield* this.#functions.values()
    if (this.#functions.size >= FUNCTIONS_MAX) yield this.#other
  }

  *#outcomes(): Generator<Sample> {
    for (const { labels, outcomes } of this.#all())
      for (const [at, value] of outcomes.entries()) {
        const status = STATUSES[Math.floor(at / FAULTS.length)]!
        const fault = FAULTS[at % FAULTS.length]!
        if (value > 0) yield { labels: { ...labels, status, fault }, value }
      }
  }
}

function counted(labels: Labels): Counted {
  const outcomes = Array.from({ length: STATUSES.length * FAULTS.length }, () => 0)
  return { labels, outcomes, running: new Histogram(SECONDS), cold: 0 }
}
