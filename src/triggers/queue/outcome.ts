import type { AsyncResult } from '../../async/index.ts'
import { AtelierError, asAtelierError, type ErrorCode } from '../../core/index.ts'

/** What a failed call means for its messages. */
export type Failure =
  /** No attempt was made: the messages wait until one can be. */
  | { readonly kind: 'no-room'; readonly error: AtelierError }
  /** An attempt that counts. */
  | { readonly kind: 'failed'; readonly error: AtelierError }

/** The function was not asked, or is not there: none of it is the message's fault. */
const NO_ATTEMPT: ReadonlySet<ErrorCode> = new Set([
  'TOO_MANY_REQUESTS',
  'UNAVAILABLE',
  'BACKEND_FAILED',
  'STORAGE_FULL',
  'QUOTA_EXCEEDED',
  'NOT_FOUND',
  'CANCELLED',
])

export function failureOfError(thrown: unknown): Failure {
  const error = asAtelierError(thrown)
  return { kind: NO_ATTEMPT.has(error.code) ? 'no-room' : 'failed', error }
}

/** Statuses by which a function asks for another attempt: those of a server's failure, and "not now". */
export function failureOfAnswer(answer: AsyncResult): Failure | undefined {
  const { status } = answer
  if (status < 500 && status !== 408 && status !== 425 && status !== 429) return undefined
  return {
    kind: 'failed',
    error: new AtelierError('FUNCTION_FAILED', `The function answered with status ${status}.`),
  }
}
