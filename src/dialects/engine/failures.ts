import { type AtelierError, asAtelierError, type ErrorCode } from '../../core/index.ts'
import { EngineError } from './engine.ts'

/** What IronFunctions says of a run that failed; hot functions that are late are 500 there, others 504. */
const RUN_FAILURES: Partial<Record<ErrorCode, { readonly status: number; readonly message: string }>> = {
  FUNCTION_TIMEOUT: { status: 504, message: 'Timed out' },
  FUNCTION_OUT_OF_MEMORY: { status: 500, message: 'out of memory error' },
  TOO_MANY_REQUESTS: { status: 500, message: 'The runner queue is full' },
}

/** A failure of the platform's operations as one of an engine. */
export function engineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  const known = asAtelierError(error)
  return new EngineError(known.status, known.message, { retryAfterS: known.retryAfterS, cause: error })
}

/** A call that failed. */
export function runFailure(error: AtelierError, isHot: boolean, invocationId: string): EngineError {
  const known = RUN_FAILURES[error.code]
  const isFunctions = error.fault === 'function'
  const status =
    error.code === 'FUNCTION_TIMEOUT' && isHot ? 500 : (known?.status ?? (isFunctions ? 500 : error.status))
  return new EngineError(status, known?.message ?? error.message, {
    retryAfterS: error.retryAfterS,
    invocationId,
    cause: error,
  })
}
