import type { Invocation } from '../../core/index.ts'
import { CallCounts } from './calls.ts'
import { EXPOSITION_TYPE, expose, type Family, type Sample, single } from './exposition.ts'
import { processFamilies } from './process.ts'

/** What `/metrics` shows. Parts hand in functions that are called when somebody asks, and cost nothing until then. */
export interface Metrics {
  readonly contentType: string
  text(): string
  /** On a call's way. */
  onInvocation(record: Invocation): void
  /** A value that goes up and down. */
  gauge(name: string, help: string, read: () => number): void
  /** Several values by label; those that are no longer read vanish. Labels must come from a small set. */
  gauges(name: string, help: string, read: () => Iterable<Sample>): void
  /** A sum since the start that its owner keeps. */
  counter(name: string, help: string, read: () => number): void
}

/** Those of the process and of calls are there at once; others are added by who knows them. */
export function createMetrics(): Metrics {
  const calls = new CallCounts()
  const families: Family[] = [...processFamilies(), ...calls.families()]
  return {
    contentType: EXPOSITION_TYPE,
    text: () => expose(families),
    onInvocation: record => calls.count(record),
    gauge: (name, help, read) => families.push(single(name, 'gauge', help, read)),
    gauges: (name, help, read) => families.push({ name, type: 'gauge', help, read }),
    counter: (name, help, read) => families.push(single(name, 'counter', help, read)),
  }
}
