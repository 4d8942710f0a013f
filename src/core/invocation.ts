/** How a call ended. */
export type InvocationStatus = 'ok' | 'error' | 'timeout' | 'cancelled' | 'refused'

/** One call: what is kept of it. Durations are milliseconds with fractions. */
export interface Invocation {
  readonly id: string
  readonly projectId: string
  readonly functionId: string
  readonly functionName: string
  readonly appName: string
  readonly version: number
  /** What caused it: `http`, `invoke`, `schedule`, …; and which trigger, by the name that it had. */
  readonly trigger: string
  readonly triggerName?: string
  /** Of an asynchronous call: which attempt this is, from 1. All attempts have the call's id. */
  readonly attempt?: number
  /** Of an asynchronous call: how long it lay in the durable queue after this attempt was due. */
  readonly heldMs?: number
  readonly status: InvocationStatus
  /** HTTP status that the caller got, or 0 when it left first. */
  readonly httpStatus: number
  readonly fault?: 'caller' | 'function' | 'platform'
  readonly errorCode?: string
  readonly errorMessage?: string
  readonly cold: boolean
  readonly instanceId?: string
  readonly startedAt: number
  readonly queuedMs: number
  readonly startingMs: number
  readonly initialisingMs: number
  readonly runningMs: number
  /** Running time rounded up to the millisecond, plus initialising when it was this call's: what is billed. */
  readonly billedMs: number
  readonly memoryMiB: number
  readonly memoryPeakBytes?: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly traceparent?: string
}

/** One piece of output. `invocationId` is absent for what code says outside any call. */
export interface LogLine {
  readonly at: number
  readonly projectId: string
  readonly functionId: string
  readonly version: number
  readonly instanceId: string
  readonly invocationId?: string
  readonly stream: 'stdout' | 'stderr' | 'platform'
  readonly text: string
}
