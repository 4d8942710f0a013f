import type { AsyncCall, AsyncState, Destination } from '../core/index.ts'

/**
 * Calls that outlive their caller. Accepted is durable: it survives `kill -9` and the loss of power. Each accepted call
 * ends exactly once in a final state; its function sees it at least once unless it is cancelled or expires before.
 */
export interface AsyncCalls {
  /**
   * Resolves when all are durable, together: all or none. Grouped with what others ask for at the same time. Rejects
   * with TOO_MANY_REQUESTS when a function's queue is full, STORAGE_FULL when the disk or the queue's own bound is,
   * BODY_TOO_LARGE past `BODY_BYTES_MAX`, UNAVAILABLE while stopping.
   */
  accept(calls: readonly NewAsyncCall[]): Promise<readonly AcceptedCall[]>
  /** NOT_FOUND when it is not in this project, or no longer kept. */
  get(projectId: string, id: string): Promise<AsyncCall>
  /** The answer of a call that succeeded or failed with one. NOT_FOUND as above; CONFLICT while it has none. */
  result(projectId: string, id: string): Promise<AsyncResult>
  /** Resolves when the call ends, or when `timeoutMs` have passed, with the call as it is then. */
  wait(projectId: string, id: string, timeoutMs: number, signal?: AbortSignal): Promise<AsyncCall>
  /** Queued: it will not run. Running: its attempt is cancelled. Ended: CONFLICT. */
  cancel(projectId: string, id: string): Promise<AsyncCall>
  /**
   * Sets aside for `forMs` the oldest call of the project that waits, is due and was accepted as `reservable`, for somebody outside who
   * may run it instead of its function; a paused function's too. No server leases it meanwhile. If nobody takes it by `takeReserved`,
   * it is due again then, as if nothing had been. Durable when it resolves; with `undefined` when there is none. What another node
   * has accepted is seen within some seconds.
   */
  reserve(projectId: string, forMs: number): Promise<ReservedCall | undefined>
  /**
   * Ends a call that is reserved: it is `cancelled`, and `why` is the message of its last failure. NOT_FOUND as above; CONFLICT when it
   * is not reserved, or no longer.
   */
  takeReserved(projectId: string, id: string, why: string): Promise<AsyncCall>
  /** Newest first. */
  list(
    projectId: string,
    filter: AsyncFilter,
    page: { readonly limit?: number; readonly cursor?: string },
  ): Promise<{ readonly items: readonly AsyncCall[]; readonly next?: string }>
  /** Cancels what is queued and matches; resolves with how many. */
  cancelMany(projectId: string, filter: AsyncFilter): Promise<number>
  /** Queues dead letters again, with fresh attempts and age. Resolves with how many. CONFLICT for one that is no dead letter. */
  redrive(projectId: string, which: { readonly id: string } | AsyncFilter): Promise<number>
  /** Forgets ended calls that match. */
  forget(projectId: string, filter: AsyncFilter): Promise<number>
  /** How a function's queue stands. */
  queue(projectId: string, functionId: string): Promise<QueueStatus>
  /** What a project's calls take up now: how many wait, and the bytes of those that have not ended. */
  usage(projectId: string): { readonly queued: number; readonly bytes: number }
  /** For `/metrics` and `/v1/status`. */
  readonly counters: AsyncCounters
  /** Leases nothing new, lets what runs finish for at most `graceMs`; what does not is queued again. */
  drain(graceMs: number): Promise<void>
  close(): Promise<void>
}

/** A call to keep until it has ended. Times are epoch ms. */
export interface NewAsyncCall {
  readonly projectId: string
  readonly functionId: string
  /** Version number or alias name; `undefined` is the live alias when it runs. */
  readonly qualifier?: string | undefined
  /** What caused it: `http`, `invoke`, `schedule` … */
  readonly trigger: string
  readonly triggerName?: string | undefined
  readonly method: string
  /** Path and query as the function sees them. */
  readonly path: string
  /** Name, value, …; lower-case names, without hop-by-hop headers. */
  readonly headers: readonly string[]
  readonly body: Uint8Array | null
  /** Not before this time (epoch ms). */
  readonly runAt?: number | undefined
  /** Calls of one function with the same key run one after the other, in the order they were accepted. */
  readonly orderingKey?: string | undefined
  /** One call for each key of a function within `idempotencyWindowMs`; a second one gets the first one's id. */
  readonly idempotencyKey?: string | undefined
  /** @default 24 hours */
  readonly idempotencyWindowMs?: number | undefined
  /** Instead of the function's own; `null` is none. */
  readonly onSuccess?: Destination | null | undefined
  readonly onFailure?: Destination | null | undefined
  readonly maxAgeMs?: number | undefined
  readonly attemptsMax?: number | undefined
  readonly traceparent?: string | undefined
  /** Whether somebody outside may be given it; see `AsyncCalls.reserve`. @default false */
  readonly reservable?: boolean | undefined
}

/** A call that is durable. */
export interface AcceptedCall {
  readonly id: string
  /** It was accepted before, under the same idempotency key. */
  readonly duplicate: boolean
}

/** A call that is set aside until its `dueAt`, with what its function would be sent. */
export interface ReservedCall {
  readonly call: AsyncCall
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Name, value, …; lower-case names. */
  readonly headers: readonly string[]
  readonly body: Uint8Array | null
}

/** The function's answer, as it was kept. */
export interface AsyncResult {
  readonly status: number
  /** Name, value, … */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/** What is not given does not matter. Times are epoch ms. */
export interface AsyncFilter {
  readonly functionId?: string | undefined
  readonly states?: readonly AsyncState[] | undefined
  readonly trigger?: string | undefined
  readonly triggerName?: string | undefined
  readonly acceptedSince?: number | undefined
  readonly acceptedUntil?: number | undefined
  readonly orderingKey?: string | undefined
}

/** The queue of one function, or of a project's all; times are epoch ms. */
export interface QueueStatus {
  readonly queued: number
  readonly running: number
  /** Queued for a later time: delays, and waits between attempts. */
  readonly delayed: number
  readonly deadLetters: number
  /** When the oldest one that could run by now was due. */
  readonly oldestDueAt?: number
}

/** Grow only, except `queued` and `running`. */
export interface AsyncCounters {
  readonly queued: number
  readonly running: number
  readonly accepted: number
  readonly refused: number
  readonly attempts: number
  readonly retries: number
  readonly succeeded: number
  readonly failed: number
  readonly expired: number
  readonly cancelled: number
  /** Leases that were lost and taken again: attempts that may have run twice. */
  readonly recovered: number
}
