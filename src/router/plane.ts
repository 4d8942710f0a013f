import type { AsyncCalls } from '../async/index.ts'
import type { AtelierError, Clock, FunctionTable } from '../core/index.ts'
import type { IdentityProvider } from '../identity/index.ts'
import type { Invoker } from '../invoker/index.ts'
import type { GatherBudget } from './gather-budget.ts'
import type { HookReceiver } from './hook-call.ts'
import type { RouterLimits } from './limits.ts'
import type { RouteIndex } from './match.ts'

/** What every call through the router shares. */
export interface Plane {
  readonly table: FunctionTable
  readonly index: RouteIndex
  readonly invoker: Invoker
  readonly async: Pick<AsyncCalls, 'accept'>
  /** Where the API tells of an asynchronous call. */
  asyncUrl(id: string): string
  readonly identity: Pick<IdentityProvider, 'authenticate' | 'cached'>
  readonly hooks: HookReceiver | undefined
  readonly hookBudget: GatherBudget
  readonly log: RouterLog
  readonly limits: RouterLimits
  readonly clock: Clock
  readonly trustForwarded: boolean
  readonly counters: Counters
  readonly flusher: Flusher
}

/** The part of pino that the router uses. */
export interface RouterLog {
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Grow only, except those that end in `Open` or `Active`. */
export interface RouterCounters {
  readonly connectionsOpen: number
  readonly requests: number
  readonly requestsActive: number
  readonly webSockets: number
  readonly webSocketsOpen: number
  /** Answers by the first digit of their status: `answers[2]` counts 200-299. */
  readonly answers: readonly number[]
  /** Requests that HTTP itself forbids. */
  readonly malformed: number
  /** Clients that left before their answer was complete. */
  readonly aborted: number
  /** Answers broken off half-way because the function failed. */
  readonly brokenOff: number
}

export interface Counters extends RouterCounters {
  requests: number
  requestsActive: number
  webSockets: number
  webSocketsOpen: number
  readonly answers: number[]
  malformed: number
  aborted: number
  brokenOff: number
}

/** Calls `flush` of what was added when the running turn is over, once each. */
export class Flusher {
  #waiting: { flush(): void }[] = []
  readonly #run = () => {
    const batch = this.#waiting
    this.#waiting = []
    for (const item of batch) item.flush()
  }

  add(item: { flush(): void }): void {
    if (this.#waiting.push(item) === 1) queueMicrotask(this.#run)
  }
}

/** Our own failures are logged with their cause; the caller's and the function's have their records. */
export function logPlatformFault(log: RouterLog, error: AtelierError, invocationId: string): void {
  if (error.fault === 'platform')
    log.error({ invocationId, code: error.code, err: error.cause ?? error }, error.message)
}
