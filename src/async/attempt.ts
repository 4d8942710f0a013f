import { AtelierError, BODY_BYTES_BUFFERED_MAX, type TableFunction } from '../core/index.ts'
import type { InvokeHandle, Invoker, InvokeSink } from '../invoker/index.ts'
import type { AsyncResult } from './async.ts'
import { type Failure, failureOf, isFailureStatus } from './retry.ts'
import { optionsOf } from './rows.ts'
import type { LeasedCall } from './turn.ts'

/** How an attempt ended: with an answer, a failure, or both when the answer is one. */
export interface AttemptEnd {
  readonly result: AsyncResult | undefined
  readonly failure: Failure | undefined
}

/** Bytes of answers in hand. */
export interface ResultRoom {
  /** Being received; more than `bytesMax` breaks attempts off. */
  used: number
  /** Received, and not yet on the disk. */
  kept: number
  readonly bytesMax: number
}

/** One attempt of a call: hands it to the invoker, gathers the answer, and tells how it ended, once. */
export class Attempt implements InvokeSink {
  readonly leased: LeasedCall
  readonly #room: ResultRoom
  readonly #onEnd: (attempt: Attempt, end: AttemptEnd) => void
  #handle: InvokeHandle | undefined
  #status = 0
  #headers: readonly string[] = []
  #chunks: Uint8Array[] = []
  #bytes = 0
  #isOver = false

  constructor(leased: LeasedCall, room: ResultRoom, onEnd: (attempt: Attempt, end: AttemptEnd) => void) {
    this.leased = leased
    this.#room = room
    this.#onEnd = onEnd
  }

  begin(invoker: Invoker, target: TableFunction, dueNow: number): void {
    const { row, head, body } = this.leased
    const [method, path, ...headers] = head
    const { traceparent } = optionsOf(row)
    this.#handle = invoker.invoke(
      {
        target,
        qualifier: row.qualifier ?? undefined,
        trigger: row.trigger_kind,
        triggerName: row.trigger_name ?? undefined,
        method: method!,
        path: path!,
        headers,
        body,
        ...(traceparent !== undefined && { traceparent }),
        attempt: { id: row.id, number: row.attempts + 1, heldMs: Math.max(0, dueNow - row.due_at) },
      },
      this,
    )
  }

  /** Calls it off; it ends with `failure`. */
  cancel(failure: Failure): void {
    if (this.#isOver) return
    this.#handle?.cancel()
    this.#over({ result: undefined, failure })
  }

  onHead(status: number, headers: readonly string[]): void {
    this.#status = status
    this.#headers = headers
  }

  onData(chunk: Uint8Array): void {
    if (this.#isOver) return
    this.#bytes += chunk.length
    this.#room.used += chunk.length
    if (this.#bytes > BODY_BYTES_BUFFERED_MAX) return this.cancel(TOO_LARGE)
    if (this.#room.used > this.#room.bytesMax) return this.cancel(NO_ROOM)
    this.#chunks.push(chunk)
    this.#handle!.consumed(chunk.length)
  }

  onEnd(): void {
    const result = { status: this.#status, headers: this.#headers, body: joined(this.#chunks) }
    this.#over({
      result,
      failure: isFailureStatus(this.#status)
        ? {
            kind: 'status',
            code: `HTTP_${this.#status}`,
            message: `The function answered with status ${this.#status}.`,
          }
        : undefined,
    })
  }

  onFail(error: AtelierError): void {
    this.#over({ result: undefined, failure: failureOf(error) })
  }

  #over(end: AttemptEnd): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#room.used -= this.#bytes
    this.#chunks = []
    this.#onEnd(this, end)
  }
}

const MIB = 1024 * 1024

const TOO_LARGE: Failure = {
  kind: 'error',
  code: 'FUNCTION_BAD_ANSWER',
  message: `The function answered with more than ${BODY_BYTES_BUFFERED_MAX / MIB} MiB, the most that is kept of an asynchronous call's answer.`,
  isFinal: true,
}

const NO_ROOM: Failure = {
  kind: 'platform',
  code: 'UNAVAILABLE',
  message: 'The answers that are being received take all the memory that they may.',
}

/** One buffer that holds the pieces and nothing else. */
function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 0) return new Uint8Array(0)
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
}
