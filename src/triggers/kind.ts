import type { AcceptedCall, AsyncResult } from '../async/index.ts'
import type { CheckedConfig } from '../control/index.ts'
import type { AsyncCall, Clock, EventTrigger, EventTriggerKind } from '../core/index.ts'

export type { CheckedConfig } from '../control/index.ts'

/**
 * One kind of trigger: what its configuration may hold, and how it runs. `triggers/host.ts` owns everything else that
 * triggers share: their life, counters, state, pause, test-fire, and how an event becomes a call.
 */
export interface TriggerKind {
  readonly kind: EventTriggerKind
  /** One sentence for help and documentation. */
  readonly summary: string
  /**
   * A typebox schema of `config`, unknown fields refused; its descriptions make the reference page, its `examples` are
   * whole configurations. What does not fit it never comes to `check`.
   */
  readonly configSchema: object
  /** Paths of `config` (dotted) that are sealed at rest and never shown: passwords, keys. */
  readonly secretFields: readonly string[]
  /** Whether each trigger has a secret URL at the router, `/-/hooks/<token>`; then its running part has `receive`. */
  readonly hasUrl: boolean
  /**
   * Completes a configuration (defaults) that fits the schema, or tells what is wrong with it beyond the schema: pointers
   * are dotted paths below `config`. Also given what it returned before, merged with a change. Pure; `now` is for what
   * must lie in the future.
   */
  check(config: Readonly<Record<string, unknown>>, now: number): CheckedConfig
  /** Begins to run; must not throw for what is only temporarily wrong (tell it by `host.failed` and try again). */
  start(trigger: EventTrigger, host: TriggerHost): RunningTrigger
  /** The event that a test-fire makes; the caller may put other data in. Its id is replaced. */
  sample(trigger: EventTrigger, now: number): TriggerEvent
  /** For a kind that records what came: the newest `limit` requests, also of a trigger that is paused. */
  requests?(trigger: EventTrigger, limit: number): Promise<readonly RecordedRequest[]>
  /** Handles a recorded request once more, as if it came now, without asking for its signature. NOT_FOUND. */
  replay?(trigger: EventTrigger, requestId: string, host: TriggerHost): Promise<readonly AcceptedCall[]>
}

/** `changed`: it is paused, deleted or another one now; `closing`: it goes on where it was when the server is back. */
export type StopReason = 'changed' | 'closing'

/** One trigger at work. */
export interface RunningTrigger {
  /** Whether it acts only while this node leads: begun anew, from what is kept, when it does. */
  readonly leads?: boolean
  /** Ends it: no event after this resolves. What was taken from a source and not acknowledged is given back. */
  stop(why?: StopReason): Promise<void>
  /** What `TriggerStatus.nextAt` and `details` say. Cheap. */
  view?(): { readonly nextAt?: readonly number[]; readonly details?: Readonly<Record<string, unknown>> }
  /** For a kind with a URL: answers one request that came there. Throws catalogue errors. */
  receive?(request: HookRequest): Promise<HookAnswer>
  /** For a kind that reads from a position: goes back (or on) to it. */
  seek?(to: { readonly position: number } | { readonly at: number }): Promise<void>
}

/** A request at a trigger's URL, its body whole. */
export interface HookRequest {
  readonly method: string
  /** What follows the token: '' or '/…', and the query with its '?', or ''. */
  readonly path: string
  readonly query: string
  /** Name, value, …; lower-case names. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
  readonly remoteAddress: string
  readonly receivedAt: number
  /** Aborted when the sender has left. */
  readonly signal: AbortSignal
}

/** What is kept of a request that came to a trigger's URL. */
export interface RecordedRequest {
  readonly id: string
  readonly receivedAt: number
  readonly method: string
  readonly path: string
  readonly remoteAddress: string
  /** Name, value, …; without what would let its reader in. */
  readonly headers: readonly string[]
  /** Its beginning as text, for people. */
  readonly bodyText: string
  readonly bodyBytes: number
  /** What became of it: `accepted`, `filtered`, `duplicate`, `refused`. */
  readonly outcome: string
  readonly detail?: string
  readonly callId?: string
}

/** What the sender of a request is told. */
export interface HookAnswer {
  readonly status: number
  readonly headers?: readonly string[]
  readonly body?: string | Uint8Array
  /** The call that it became; told to the sender as the invocation. */
  readonly callId?: string
}

/** One event on its way to the function, whatever its source. */
export interface TriggerEvent {
  /** Unique at its source: a second one with this id and source (of the same trigger, within a day) is a duplicate. */
  readonly id: string
  /** What duplicates are known by instead, where a source may deliver one event twice on purpose. */
  readonly deliveryId?: string
  /** CloudEvents `source`, `type`, `subject`, `time`. */
  readonly source: string
  readonly type: string
  readonly subject?: string
  readonly time: number
  /** CloudEvents extension attributes. */
  readonly extensions?: Readonly<Record<string, string>>
  readonly contentType: string
  readonly data: Uint8Array
  /** What a function with format `native` gets. @default POST / */
  readonly method?: string
  readonly path?: string
  /** Name, value, …; beside content-type. The sender's words: none that begins with `atelier-` is passed on. */
  readonly headers?: readonly string[]
  /** What its kind itself knows of it, for headers `atelier-…` (name, value, …), in every format. */
  readonly facts?: readonly string[]
}

/** How the calls of events are queued. */
export interface DeliverOptions {
  /** Not before (epoch ms). */
  readonly runAt?: number
  readonly orderingKey?: string
  readonly maxAgeMs?: number
  readonly attemptsMax?: number
}

/** What a running trigger does with its events. All of it is recorded with the trigger. */
export interface TriggerHost {
  readonly clock: Clock
  readonly signal: AbortSignal
  /**
   * Makes durable calls of events, all or none; the sources may be told "done" when it resolves. Errors of the queue
   * (429, 507) reject: the source should wait or be told.
   */
  deliver(events: readonly TriggerEvent[], options?: DeliverOptions): Promise<readonly AcceptedCall[]>
  /**
   * Calls the function at once and waits for its answer, for sources that keep the event until it is handled. With
   * `asBatch` the events are one call, as a CloudEvents batch or a JSON array. Rejects with the call's failure; 429 means
   * no room now.
   *
   * @default asBatch: true for more than one event
   */
  call(events: readonly TriggerEvent[], signal?: AbortSignal, asBatch?: boolean): Promise<AsyncResult>
  /** How many calls the function could take now, at least 0: what a consumer should have in hand. */
  capacity(): number
  /** A filter left events out. */
  filtered(count: number): void
  /** Something went wrong that no call tells of. Shown as the trigger's last error. */
  failed(error: unknown): void
  /** A connection works (again). */
  healthy(): void
  /** There will be no more events. */
  ended(): void
  /** A small JSON value that survives restarts: a position, a cursor, the last run. `undefined` at first. */
  load(): Promise<unknown>
  /** Resolves when it is on the disk, together with what others save; `load` gives it at once. */
  save(value: unknown): Promise<void>
  /**
   * True while this node alone runs this trigger. A kind whose source does not share out its events itself (a clock, a
   * poller) asks before it acts. One node by default.
   */
  isLeader(): boolean
  /** How a call that `deliver` made has ended, for overlap rules. */
  callState(id: string): Promise<AsyncCall['state'] | undefined>
  /** Calls off one that `deliver` made; does nothing to one that has ended. */
  cancelCall(id: string): Promise<void>
}
