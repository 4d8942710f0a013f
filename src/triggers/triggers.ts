import type { AcceptedCall } from '../async/index.ts'
import type { TriggerStatus } from '../core/index.ts'
import type { HookAnswer, HookRequest, RecordedRequest } from './kind.ts'

/**
 * The event triggers of the table, running. The control plane decides what there is; this follows it. Ids are those of
 * triggers that the caller has looked up by name in its own project.
 */
export interface Triggers {
  /** How a trigger does; one that was made a moment ago too. */
  status(id: string): TriggerStatus
  /** Makes the kind's sample event, with other data when some is given, into a call. Also when it is paused. */
  fire(id: string, data?: EventData): Promise<AcceptedCall>
  /** Goes back or on to a position, or to the first event at or after a time. CONFLICT for a kind that cannot. */
  seek(id: string, to: { readonly position: number } | { readonly at: number }): Promise<void>
  /** Requests that came to its URL, newest first. CONFLICT for a kind that records none. */
  requests(id: string, limit: number): Promise<readonly RecordedRequest[]>
  /** Handles a recorded request once more. NOT_FOUND when it is not kept. */
  replay(id: string, requestId: string): Promise<readonly AcceptedCall[]>
  /** The project whose trigger has the URL with this token; `undefined` when none has. */
  hookProject(token: string): string | undefined
  /** A request at `/-/hooks/<token>`. NOT_FOUND when no URL has this token, UNAVAILABLE while its trigger is paused. */
  receiveHook(token: string, request: HookRequest): Promise<HookAnswer>
  /** This node leads from now on: what only one may run goes on here, from where the one before was. */
  lead(): Promise<void>
  /** Begins to run what the table holds; what was due while nobody ran is the kinds' to decide. */
  start(): Promise<void>
  /** No event after this; what was taken and not acknowledged is given back, what was counted is written. */
  close(): Promise<void>
}

/** An event's data, as its media type says. */
export interface EventData {
  readonly contentType: string
  readonly body: Uint8Array
}
