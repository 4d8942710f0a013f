import type {
  AsyncSettings,
  AsyncState,
  AtelierError,
  AttemptFailure,
  ErrorCode,
  Fault,
} from '../core/index.ts'

/** How an attempt ended. */
export interface AttemptOutcome {
  /** HTTP status of the answer; 0: there was none. */
  readonly status: number
  readonly failure: Failure | undefined
}

export interface Failure {
  readonly kind: AttemptFailure
  readonly code: string
  readonly message: string
  /** Another attempt would end alike. */
  readonly isFinal?: boolean
}

/** What is known of a call when one of its attempts has ended. */
export interface CallSoFar {
  /** Attempts that failed before this one, and count. */
  readonly failures: number
  readonly firstDueAt: number
  readonly attemptsMax: number | undefined
  readonly maxAgeMs: number | undefined
}

export type NextStep =
  | { readonly kind: 'end'; readonly state: Exclude<AsyncState, 'queued' | 'running' | 'cancelled'> }
  /** `isCounted`: it uses up an attempt. */
  | { readonly kind: 'again'; readonly waitMs: number; readonly isCounted: boolean }

const PLATFORM_WAIT_MS = 250
const PLATFORM_WAIT_MS_MAX = 30_000

/**
 * What follows an attempt. `refusalsInRow` is how often in a row the platform had no room for this function, `chance` in
 * [0, 1) spreads the wait.
 */
export function nextStep(
  call: CallSoFar,
  { failure }: AttemptOutcome,
  settings: AsyncSettings,
  ageNow: number,
  refusalsInRow: number,
  chance: number,
): NextStep {
  if (failure === undefined) return { kind: 'end', state: 'succeeded' }
  const { retry } = settings
  if (failure.isFinal || !retry.on.includes(failure.kind)) return { kind: 'end', state: 'failed' }
  const isCounted = failure.kind !== 'platform'
  const failures = call.failures + 1
  if (isCounted && failures >= (call.attemptsMax ?? retry.attemptsMax))
    return { kind: 'end', state: 'failed' }
  const waitMs = isCounted
    ? jittered(
        Math.min(retry.delayMsMax, retry.delayMs * retry.factor ** (failures - 1)),
        retry.jitter,
        chance,
      )
    : jittered(
        Math.min(PLATFORM_WAIT_MS_MAX, PLATFORM_WAIT_MS * 2 ** Math.min(20, refusalsInRow)),
        0.5,
        chance,
      )
  // An attempt that would come too late is none.
  const endsAt = call.firstDueAt + (call.maxAgeMs ?? settings.maxAgeMs)
  return ageNow + waitMs >= endsAt ? { kind: 'end', state: 'expired' } : { kind: 'again', waitMs, isCounted }
}

/** `waitMs`, of which the part `jitter` is left to chance: the mean stays. */
function jittered(waitMs: number, jitter: number, chance: number): number {
  return Math.round(waitMs * (1 - jitter + 2 * jitter * chance))
}

/** Which statuses ask for another attempt (RFC 9110, 15). */
export function isFailureStatus(status: number): boolean {
  return status >= 500 || status === 408 || status === 425 || status === 429
}

/** What an attempt that ended in an error failed by. */
export function failureOf({ code, message, fault }: AtelierError): Failure {
  return { kind: kindOf(code, fault), code, message }
}

function kindOf(code: ErrorCode, fault: Fault): AttemptFailure {
  return KINDS[code] ?? (fault === 'platform' ? 'platform' : 'error')
}

const KINDS: Partial<Record<ErrorCode, AttemptFailure>> = {
  FUNCTION_TIMEOUT: 'timeout',
  FUNCTION_CRASHED: 'crash',
  FUNCTION_OUT_OF_MEMORY: 'crash',
  TOO_MANY_REQUESTS: 'platform',
  FORBIDDEN: 'platform', // the project is disabled: it may come back
  CANCELLED: 'platform', // when somebody asked for it, the call has ended by then
}
