import type { AcceptedCall, AsyncResult } from '../../../src/async/index.ts'
import { type Clock, systemClock } from '../../../src/core/index.ts'
import type { DeliverOptions, TriggerEvent, TriggerHost } from '../../../src/triggers/index.ts'

export type Handler = (
  events: readonly TriggerEvent[],
  signal?: AbortSignal,
) => AsyncResult | undefined | Promise<AsyncResult | undefined>

/** A host whose function is a function of the test, and which remembers what it was told. */
export class TestHost implements TriggerHost {
  readonly clock: Clock
  readonly ended = () => undefined
  readonly calls: (readonly TriggerEvent[])[] = []
  readonly delivered: { readonly events: readonly TriggerEvent[]; readonly options: DeliverOptions }[] = []
  readonly failures: Error[] = []
  filteredCount = 0
  healthyCount = 0
  room = 10
  running = 0
  runningMax = 0
  handler: Handler
  onDeliver: (events: readonly TriggerEvent[]) => void = () => undefined
  saved: unknown
  readonly #stop = new AbortController()

  constructor(handler: Handler = () => undefined, clock: Clock = systemClock) {
    this.handler = handler
    this.clock = clock
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  async deliver(
    events: readonly TriggerEvent[],
    options: DeliverOptions = {},
  ): Promise<readonly AcceptedCall[]> {
    this.onDeliver(events)
    this.delivered.push({ events, options })
    return events.map(({ id }) => ({ id, duplicate: false }))
  }

  async call(events: readonly TriggerEvent[], signal?: AbortSignal): Promise<AsyncResult> {
    this.calls.push(events)
    this.running++
    this.runningMax = Math.max(this.runningMax, this.running)
    try {
      const answer = await this.handler(events, signal)
      return answer ?? { status: 200, headers: ['content-type', 'text/plain'], body: Buffer.from('ok') }
    } finally {
      this.running--
    }
  }

  capacity(): number {
    return Math.max(0, this.room - this.running)
  }

  filtered(count: number): void {
    this.filteredCount += count
  }

  failed(error: unknown): void {
    this.failures.push(error as Error)
  }

  healthy(): void {
    this.healthyCount++
  }

  async load(): Promise<unknown> {
    return structuredClone(this.saved)
  }

  async save(value: unknown): Promise<void> {
    this.saved = structuredClone(value)
  }

  isLeader(): boolean {
    return true
  }

  async cancelCall(): Promise<void> {}

  async callState(): Promise<undefined> {
    return undefined
  }

  /** Data of all events that reached the function, in order, as text. */
  get texts(): string[] {
    return this.calls.flat().map(event => Buffer.from(event.data).toString())
  }
}
