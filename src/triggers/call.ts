import type { AsyncResult } from '../async/index.ts'
import { AtelierError } from '../core/index.ts'
import type { InvokeRequest, Invoker } from '../invoker/index.ts'

const ANSWER_BYTES_MAX = 6 * 1024 * 1024 // as for other answers that are held in memory

/** One call with its answer whole. Rejects with its failure, BODY_TOO_LARGE, or CANCELLED when `signal` is aborted. */
export function callCollected(
  invoker: Invoker,
  request: InvokeRequest,
  signal?: AbortSignal,
): Promise<AsyncResult> {
  return new Promise((resolve, reject) => {
    let status = 0
    let headers: readonly string[] = []
    const chunks: Uint8Array[] = []
    let bytes = 0
    const leave = (): void => {
      signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      leave()
      handle.cancel()
      reject(new AtelierError('CANCELLED', 'The trigger stopped while its call ran.'))
    }
    const handle = invoker.invoke(request, {
      onHead(code, list) {
        status = code
        headers = list
      },
      onData(chunk) {
        bytes += chunk.length
        handle.consumed(chunk.length)
        if (bytes <= ANSWER_BYTES_MAX) {
          chunks.push(Buffer.from(chunk))
          return
        }
        leave()
        handle.cancel()
        reject(new AtelierError('BODY_TOO_LARGE', `The answer has more than ${ANSWER_BYTES_MAX} bytes.`))
      },
      onEnd() {
        leave()
        resolve({ status, headers, body: Buffer.concat(chunks) })
      },
      onFail(error) {
        leave()
        reject(error)
      },
    })
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
  })
}
