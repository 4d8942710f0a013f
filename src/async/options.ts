import type { CloudEvent } from '../cloudevents/index.ts'
import { type AsyncCall, type Clock, type FunctionTable, QUOTA_DEFAULT } from '../core/index.ts'
import type { Invoker } from '../invoker/index.ts'
import type { EventStore } from '../store/index.ts'
import type { DeliverWebhook } from './webhook.ts'

/** What `createAsyncCalls` stands on. */
export interface AsyncOptions {
  readonly store: EventStore
  readonly invoker: Invoker
  /** Loaded already: calls of functions that are not in it end after a while. */
  readonly table: FunctionTable
  readonly clock: Clock
  /** In [0, 1). @default Math.random */
  readonly random?: () => number
  /** Whether other processes work on this database. @default unless it is SQLite */
  readonly isShared?: boolean
  readonly limits?: Partial<AsyncLimits>
  /** Told of what went wrong where nobody waits for the answer. */
  readonly onProblem?: (message: string, cause?: unknown) => void
  /** Puts an event into a topic of the project. NOT_FOUND ends the delivery, other errors are tried again. */
  readonly publish?: (projectId: string, topic: string, event: CloudEvent) => Promise<void>
  /** Sends an event to a URL; rejects when it was not taken. @default POST, to public addresses alone */
  readonly deliverWebhook?: DeliverWebhook
  /** Told of each call that has ended here. */
  readonly onEnded?: (call: AsyncCall) => void
}

/** What the queue may hold and do, over all functions. */
export interface AsyncLimits {
  /** Calls that wait, of one project; one more is TOO_MANY_REQUESTS. */
  readonly queuedPerProjectMax: number
  /** Bodies of calls that have not ended, of one project; more is TOO_MANY_REQUESTS. */
  readonly bytesPerProjectMax: number
  /** Calls that wait, of all. */
  readonly queuedMax: number
  /** Heads and bodies of calls that have not ended; more is STORAGE_FULL. */
  readonly bytesMax: number
  /** Heads and bodies that wait for their first commit; more is TOO_MANY_REQUESTS. */
  readonly pendingBytesMax: number
  /** Calls that this process holds leases of; a function without any gets one beyond it. */
  readonly leasedMax: number
  /** Heads and bodies of leased calls. */
  readonly leasedBytesMax: number
  /** Answers that are being received, all together. While half as much waits for the disk nothing more begins. */
  readonly resultBytesInHandMax: number
  /** How often a call may be lost with its node before it counts as one that takes nodes down. */
  readonly recoveriesMax: number
  /** A node that has not been heard of for so long is taken for dead. */
  readonly leaseMs: number
  /** Destinations that may lead from one to the next. */
  readonly hopsMax: number
}

const MIB = 1024 * 1024

export const ASYNC_LIMITS_DEFAULT: AsyncLimits = {
  queuedPerProjectMax: QUOTA_DEFAULT.queuedCalls,
  bytesPerProjectMax: QUOTA_DEFAULT.queuedBytes,
  queuedMax: 2_000_000,
  bytesMax: 4096 * MIB,
  pendingBytesMax: 64 * MIB,
  leasedMax: 4_000,
  leasedBytesMax: 128 * MIB,
  resultBytesInHandMax: 256 * MIB,
  recoveriesMax: 100,
  leaseMs: 30_000,
  hopsMax: 10,
}
