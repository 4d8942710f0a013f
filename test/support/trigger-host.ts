import type { AcceptedCall, AsyncResult } from '../../src/async/index.ts'
import { AtelierError, type Clock, type EventTrigger, type EventTriggerKind } from '../../src/core/index.ts'
import type { HookRequest, TriggerEvent, TriggerHost } from '../../src/triggers/index.ts'

/** A host for one kind of trigger alone: it keeps what a kind does instead of making calls of it. */
export class RecordingHost implements TriggerHost {
  readonly clock: Clock
  readonly signal = new AbortController().signal
  readonly delivered: TriggerEvent[] = []
  readonly called: TriggerEvent[][] = []
  readonly failures: string[] = []
  filteredCount = 0
  /** What the queue says instead of accepting. */
  refusal: AtelierError | undefined
  /** The function, for calls that are waited for. */
  answer: (events: readonly TriggerEvent[], signal?: AbortSignal) => Promise<AsyncResult> = async () => ({
    status: 200,
    headers: ['content-type', 'text/plain'],
    body: Buffer.from('done'),
  })
  #saved: unknown
  readonly #ids = new Map<string, string>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  async deliver(events: readonly TriggerEvent[]): Promise<readonly AcceptedCall[]> {
    if (this.refusal) throw this.refusal
    return events.map(event => {
      const known = this.#ids.get(event.id)
      if (known !== undefined) return { id: known, duplicate: true }
      const id = `call-${this.#ids.size + 1}`
      this.#ids.set(event.id, id)
      this.delivered.push(event)
      return { id, duplicate: false }
    })
  }

  call(events: readonly TriggerEvent[], signal?: AbortSignal): Promise<AsyncResult> {
    this.called.push([...events])
    return this.answer(events, signal)
  }

  capacity(): number {
    return 1
  }

  filtered(count: number): void {
    this.filteredCount += count
  }

  failed(error: unknown): void {
    this.failures.push(error instanceof AtelierError ? error.message : String(error))
  }

  healthy(): void {}

  ended(): void {}

  async load(): Promise<unknown> {
    return this.#saved
  }

  async save(value: unknown): Promise<void> {
    this.#saved = value
  }

  isLeader(): boolean {
    return true
  }

  async callState(): Promise<undefined> {}

  async cancelCall(): Promise<void> {}
}

/** A trigger of the project `p1`. */
export function eventTrigger(
  kind: EventTriggerKind,
  config: Readonly<Record<string, unknown>>,
  more: Partial<EventTrigger> = {},
): EventTrigger {
  return {
    id: 'trigger-1',
    projectId: 'p1',
    projectName: 'acme',
    functionId: 'f1',
    appName: 'main',
    functionName: 'fn',
    name: 'hook',
    kind,
    alias: 'live',
    format: 'native',
    config,
    tokens: [],
    paused: false,
    revision: 1,
    createdAt: 0,
    updatedAt: 0,
    ...more,
  }
}

/** A request as the router hands it on. */
export function hookRequest(
  body: string | Uint8Array,
  headers: readonly string[] = [],
  more: Partial<HookRequest> = {},
): HookRequest {
  return {
    method: 'POST',
    path: '',
    query: '',
    headers,
    body: typeof body === 'string' ? Buffer.from(body) : body,
    remoteAddress: '127.0.0.1',
    receivedAt: 0,
    signal: new AbortController().signal,
    ...more,
  }
}
