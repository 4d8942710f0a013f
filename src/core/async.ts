/** Nouns of calls that outlive their caller. Times are milliseconds since the epoch, ids opaque strings. */

/**
 * - `queued`     durable; waits for its time, its turn or its next attempt
 * - `running`    an attempt is under way, its lease is held by a node
 * - `succeeded`  the function answered, and the answer did not ask for another attempt; final
 * - `failed`     the last attempt that the retry policy allows failed; final
 * - `expired`    it grew older than its maximum age before it succeeded; final
 * - `cancelled`  somebody called it off; final
 *
 * `failed` and `expired` calls are dead letters until they are redriven or forgotten.
 */
export type AsyncState = 'queued' | 'running' | 'succeeded' | 'failed' | 'expired' | 'cancelled'

/** How an attempt ended, when it did not succeed. What a retry policy decides by. */
export type AttemptFailure =
  /** The code threw, could not be loaded, or answered what cannot be sent. */
  | 'error'
  /** It answered with a status from 500 to 599, or with 408, 425 or 429. */
  | 'status'
  | 'timeout'
  /** The instance ended under it, out of memory included. */
  | 'crash'
  /** No attempt could be made: no room, no instance, the platform's own fault. Not counted as an attempt. */
  | 'platform'

/** When a call that failed is tried again. */
export interface RetryPolicy {
  /** Attempts in all; 1 is no retry. */
  readonly attemptsMax: number
  /** Wait before the second attempt. */
  readonly delayMs: number
  /** What the wait grows by from one attempt to the next. */
  readonly factor: number
  readonly delayMsMax: number
  /** Part of each wait that is left to chance, 0 to 1. */
  readonly jitter: number
  readonly on: readonly AttemptFailure[]
}

/** Where the outcome of a call goes, as an event of its own. */
export type Destination =
  | { readonly kind: 'function'; readonly app: string; readonly function: string; readonly alias?: string }
  | { readonly kind: 'webhook'; readonly url: string }
  | { readonly kind: 'topic'; readonly topic: string }

/** How a function's asynchronous calls are treated. Belongs to the function: a change holds for what is queued already. */
export interface AsyncSettings {
  readonly retry: RetryPolicy
  /** A call that has not succeeded so long after it was due becomes `expired`. */
  readonly maxAgeMs: number
  /** How long a call that has ended is kept, with its result. Dead letters too. */
  readonly resultKeptMs: number
  /** Asynchronous calls that run at once, on all nodes. */
  readonly concurrencyMax: number
  /** Calls that may wait; one more is TOO_MANY_REQUESTS. */
  readonly queuedMax: number
  /** Calls are accepted and wait. */
  readonly paused: boolean
  readonly onSuccess?: Destination
  readonly onFailure?: Destination
}

/** What a function has that sets nothing itself. */
export const ASYNC_SETTINGS_DEFAULT: AsyncSettings = {
  retry: {
    attemptsMax: 3,
    delayMs: 1_000,
    factor: 2,
    delayMsMax: 300_000,
    jitter: 0.2,
    on: ['error', 'status', 'timeout', 'crash', 'platform'],
  },
  maxAgeMs: 6 * 3_600_000,
  resultKeptMs: 7 * 86_400_000,
  concurrencyMax: 100,
  queuedMax: 200_000,
  paused: false,
}

/** An accepted call, as it stands. Its id is the invocation id of every attempt: logs and records are found by it. */
export interface AsyncCall {
  readonly id: string
  readonly projectId: string
  readonly functionId: string
  readonly appName: string
  readonly functionName: string
  readonly qualifier?: string
  /** What caused it: `http`, `invoke`, `schedule`, …; and which trigger, by name. */
  readonly trigger: string
  readonly triggerName?: string
  readonly state: AsyncState
  /** Attempts begun. */
  readonly attempts: number
  readonly acceptedAt: number
  /** When its next attempt may begin; for a call that has ended, when its last one might. */
  readonly dueAt: number
  readonly startedAt?: number
  readonly endedAt?: number
  /** After this it is forgotten. */
  readonly keptUntil?: number
  readonly orderingKey?: string
  readonly lastFailure?: { readonly kind: AttemptFailure; readonly code: string; readonly message: string }
  /** HTTP status of the last answer; 0 when there was none. */
  readonly httpStatus: number
  readonly resultBytes: number
}
