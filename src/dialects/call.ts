import { AtelierError, BODY_BYTES_BUFFERED_MAX } from '../core/index.ts'
import type { InvokeRequest, Invoker } from '../invoker/index.ts'

/** A call's whole answer. */
export interface WholeAnswer {
  /** Of the invocation: its record and logs are found by it. */
  readonly id: string
  readonly version: number | undefined
  readonly status: number
  /** Name, value, …; lower-case names. */
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** A call that failed, with the id of its invocation. */
export class CallFailure extends AtelierError {
  readonly invocationId: string

  constructor(error: AtelierError, invocationId: string) {
    super(error.code, error.message, {
      cause: error.cause,
      ...(error.retryAfterS !== undefined && { retryAfterS: error.retryAfterS }),
    })
    this.invocationId = invocationId
  }
}

/**
 * Calls a function and gathers its answer, as dialects do whose answers hold the function's. Rejects with `CallFailure`;
 * FUNCTION_BAD_ANSWER for an answer of more than 6 MiB, CANCELLED when `signal` aborts.
 */
export function callWhole(
  invoker: Invoker,
  request: InvokeRequest,
  signal?: AbortSignal,
): Promise<WholeAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    let bytes = 0
    let head: Pick<WholeAnswer, 'status' | 'headers'> = { status: 200, headers: [] }
    const settle = (): void => signal?.removeEventListener('abort', onAbort)
    const fail = (error: AtelierError): void => {
      settle()
      queueMicrotask(() => reject(new CallFailure(error, handle.id))) // it may fail before there is a handle
    }
    const handle = invoker.invoke(request, {
      onHead: (status, headers) => {
        head = { status, headers }
      },
      onData: chunk => {
        bytes += chunk.length
        if (bytes > BODY_BYTES_BUFFERED_MAX) {
          fail(new AtelierError('FUNCTION_BAD_ANSWER', 'The answer of the function is larger than 6 MiB.'))
          return handle.cancel()
        }
        chunks.push(chunk)
        handle.consumed(chunk.length)
      },
      onEnd: () => {
        settle()
        resolve({ id: handle.id, version: handle.version, ...head, body: Buffer.concat(chunks) })
      },
      onFail: fail,
    })
    const onAbort = (): void => {
      handle.cancel() // after which nothing more is said
      fail(new AtelierError('CANCELLED', 'The caller left.'))
    }
    signal?.addEventListener('abort', onAbort)
    if (signal?.aborted) onAbort()
  })
}
