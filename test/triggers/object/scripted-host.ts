import type { EventTrigger } from '../../../src/core/index.ts'
import type { TriggerEvent, TriggerHost } from '../../../src/triggers/index.ts'
import { FakeClock } from '../../support/clock.ts'

/** A trigger's host that remembers what it was told, on a clock that stands still; `deliver` fails when it is told to. */
export class ScriptedHost implements TriggerHost {
  readonly clock = new FakeClock()
  readonly signal = new AbortController().signal
  readonly delivered: TriggerEvent[] = []
  readonly errors: unknown[] = []
  readonly saves: unknown[] = []
  /** Errors for the next deliveries, first one first. */
  readonly refusals: Error[] = []
  filteredCount = 0
  healthyCount = 0
  leads = true
  value: unknown

  /** What the function would get. */
  get bodies(): unknown[] {
    return this.delivered.map(each => JSON.parse(Buffer.from(each.data).toString()))
  }

  async deliver(events: readonly TriggerEvent[]) {
    const refusal = this.refusals.shift()
    if (refusal) throw refusal
    this.delivered.push(...events)
    return events.map(each => ({ id: each.id, duplicate: false }))
  }

  call(): never {
    throw new Error('nothing here waits for answers')
  }

  capacity(): number {
    return 1
  }

  filtered(count: number): void {
    this.filteredCount += count
  }

  failed(error: unknown): void {
    this.errors.push(error)
  }

  healthy(): void {
    this.healthyCount++
  }

  ended(): void {}

  async load(): Promise<unknown> {
    return this.value
  }

  async save(value: unknown): Promise<void> {
    this.value = JSON.parse(JSON.stringify(value))
    this.saves.push(this.value)
  }

  isLeader(): boolean {
    return this.leads
  }

  async callState(): Promise<undefined> {
    return undefined
  }

  async cancelCall(): Promise<void> {}
}

export function objectTrigger(config: Readonly<Record<string, unknown>>): EventTrigger {
  return {
    id: 'trg1',
    projectId: 'p1',
    projectName: 'default',
    functionId: 'f1',
    appName: 'default',
    functionName: 'f',
    name: 'uploads',
    kind: 'object',
    alias: 'live',
    format: 'native',
    config,
    tokens: [],
    paused: false,
    revision: 1,
    createdAt: 0,
    updatedAt: 0,
  }
}
