import type {
  AtelierError,
  Invocation,
  InvocationStatus,
  TableFunction,
  TableVersion,
} from '../core/index.ts'

/** What a call leaves to tell of, when it is over. Times are monotonic ms. */
export interface CallFacts {
  readonly id: string
  readonly target: TableFunction
  /** `undefined`: it was refused before a version was found. */
  readonly version: TableVersion | undefined
  readonly trigger: string
  readonly error: AtelierError | undefined
  /** The code's own words, when it failed; the caller does not see them. */
  readonly detail: string | undefined
  readonly httpStatus: number
  readonly instanceId: string | undefined
  readonly cold: boolean
  /** Of the instance, when this call was its first. */
  readonly startingMs: number
  readonly initialisingMs: number
  readonly startedAt: number
  readonly asked: number
  /** When it was sent to the code; `undefined` when it never was. */
  readonly ran: number | undefined
  readonly over: number
  readonly memoryPeakBytes: number | undefined
  readonly bytesIn: number
  readonly bytesOut: number
  readonly traceparent: string | undefined
}

const MESSAGE_CHARACTERS_MAX = 1_024

/** The record of a call. */
export function invocationOf(facts: CallFacts): Invocation {
  const { target, version, error, ran } = facts
  const wait = splitWait((ran ?? facts.over) - facts.asked, facts)
  const runningMs = ran === undefined ? 0 : facts.over - ran
  return {
    id: facts.id,
    projectId: target.projectId,
    functionId: target.id,
    functionName: target.name,
    appName: target.appName,
    version: version?.number ?? 0,
    trigger: facts.trigger,
    status: error === undefined ? 'ok' : statusOf(error, ran !== undefined),
    httpStatus: facts.httpStatus,
    ...(error && {
      fault: error.fault,
      errorCode: error.code,
      errorMessage: (facts.detail ?? error.message).slice(0, MESSAGE_CHARACTERS_MAX),
    }),
    cold: facts.cold,
    ...(facts.instanceId !== undefined && { instanceId: facts.instanceId }),
    startedAt: facts.startedAt,
    ...wait,
    runningMs,
    billedMs: Math.ceil(runningMs) + Math.ceil(wait.initialisingMs),
    memoryMiB: version?.limits.memoryMiB ?? 0,
    ...(facts.memoryPeakBytes !== undefined && { memoryPeakBytes: facts.memoryPeakBytes }),
    bytesIn: facts.bytesIn,
    bytesOut: facts.bytesOut,
    ...(facts.traceparent !== undefined && { traceparent: facts.traceparent }),
  }
}

/**
 * Where the wait went. The instance's start may have begun before this call came (for another, or to be kept warm): only
 * what lies within the call's own wait is the call's, counted back from its end.
 */
export function splitWait(
  waitedMs: number,
  instance: { readonly cold: boolean; readonly startingMs: number; readonly initialisingMs: number },
): { queuedMs: number; startingMs: number; initialisingMs: number } {
  const waited = Math.max(0, waitedMs)
  const initialisingMs = instance.cold ? Math.min(waited, instance.initialisingMs) : 0
  const startingMs = instance.cold ? Math.min(waited - initialisingMs, instance.startingMs) : 0
  return { queuedMs: waited - initialisingMs - startingMs, startingMs, initialisingMs }
}

function statusOf(error: AtelierError, reachedTheCode: boolean): InvocationStatus {
  if (error.code === 'CANCELLED') return 'cancelled'
  if (error.code === 'FUNCTION_TIMEOUT') return 'timeout'
  const isRefusal = error.fault === 'caller' || error.code === 'UNAVAILABLE'
  return isRefusal && !reachedTheCode ? 'refused' : 'error'
}
