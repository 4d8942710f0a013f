import {
  type AtelierError,
  type Clock,
  type Invocation,
  type InvocationStatus,
  newId,
  type TableFunction,
  type TableVersion,
} from '../core/index.ts'
import type { Lease } from '../pool/index.ts'
import type { Attempt, InvokeRequest } from './call.ts'

/** What is noted of a call on its way, and makes its record at the end. Times are monotonic ms. */
export class CallNotes {
  /** `undefined`: it was refused before a version was found. */
  version: TableVersion | undefined
  error: AtelierError | undefined
  /** The code's own words, when it failed; the caller does not see them. */
  detail: string | undefined
  httpStatus = 0
  lease: Lease | undefined
  /** When it was sent to the code; `undefined` when it never was. */
  ran: number | undefined
  over = 0
  memoryPeakBytes: number | undefined
  bytesIn = 0
  bytesOut = 0
  traceparent: string | undefined
  readonly id: string
  readonly target: TableFunction
  readonly trigger: string
  readonly triggerName: string | undefined
  readonly attempt: Attempt | undefined
  /** Epoch ms. */
  readonly startedAt: number
  readonly asked: number

  constructor({ target, trigger, triggerName, attempt }: InvokeRequest, clock: Clock) {
    this.target = target
    this.trigger = trigger
    this.triggerName = triggerName
    this.attempt = attempt
    this.startedAt = clock.now()
    this.asked = clock.monotonic()
    this.id = attempt?.id ?? newId(this.startedAt)
  }
}

const NOT_COLD = { cold: false, startingMs: 0, initialisingMs: 0 }
const MESSAGE_CHARACTERS_MAX = 1_024

/** The record of a call. Made without spreading: each of those costs as much as all plain fields together. */
export function invocationOf(notes: CallNotes): Invocation {
  const { target, version, error, ran, lease, memoryPeakBytes, traceparent } = notes
  const wait = splitWait((ran ?? notes.over) - notes.asked, lease ?? NOT_COLD)
  const runningMs = ran === undefined ? 0 : notes.over - ran
  const record: Mutable<Invocation> = {
    id: notes.id,
    projectId: target.projectId,
    functionId: target.id,
    functionName: target.name,
    appName: target.appName,
    version: version?.number ?? 0,
    trigger: notes.trigger,
    ...(notes.attempt && { attempt: notes.attempt.number, heldMs: notes.attempt.heldMs }),
    status: error === undefined ? 'ok' : statusOf(error, ran !== undefined),
    httpStatus: notes.httpStatus,
    cold: lease?.cold ?? false,
    startedAt: notes.startedAt,
    queuedMs: wait.queuedMs,
    startingMs: wait.startingMs,
    initialisingMs: wait.initialisingMs,
    runningMs,
    billedMs: Math.ceil(runningMs) + Math.ceil(wait.initialisingMs),
    memoryMiB: version?.limits.memoryMiB ?? 0,
    bytesIn: notes.bytesIn,
    bytesOut: notes.bytesOut,
  }
  if (notes.triggerName !== undefined) record.triggerName = notes.triggerName
  if (lease !== undefined) record.instanceId = lease.instanceId
  if (traceparent !== undefined) record.traceparent = traceparent
  if (memoryPeakBytes !== undefined) record.memoryPeakBytes = memoryPeakBytes
  if (error !== undefined) {
    record.fault = error.fault
    record.errorCode = error.code
    record.errorMessage = (notes.detail ?? error.message).slice(0, MESSAGE_CHARACTERS_MAX)
  }
  return record
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

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
