import type { CallHandle, CallHead, CallSink } from '../contract.ts'
import type { AnswerStart } from './answer.ts'

export const EVENT_BODY_BYTES_MAX = 6 * 1024 * 1024
const UNREAD_BYTES_MAX = 256 * 1024 // of the answer, that the receiver has not passed on; then nothing more is read

/** What a call needs of its link. */
export interface LambdaCallHome {
  /** Its body is complete: it may be given to the runtime. */
  onReady(call: LambdaCall): void
  /** Nothing will be said to its sink any more. */
  onOver(call: LambdaCall): void
}

/** One call: an event for the runtime, and its answer. */
export class LambdaCall implements CallHandle {
  readonly number: number
  readonly head: CallHead
  /** `running`: the runtime has it; `answering`: its answer has begun to come. */
  state: 'gathering' | 'waiting' | 'running' | 'answering' | 'over' = 'gathering'
  isCancelled = false
  /** Lets the answer flow again. */
  onRoom: (() => void) | undefined
  readonly #home: LambdaCallHome
  readonly #sink: CallSink
  readonly #isBodiless: boolean
  #parts: Uint8Array[] = []
  #bytes = 0
  #unread = 0
  #dropsBody = false

  constructor(home: LambdaCallHome, number: number, head: CallHead, sink: CallSink) {
    this.#home = home
    this.number = number
    this.head = head
    this.#sink = sink
    this.#isBodiless = head.method === 'HEAD'
    if (head.body === undefined) return
    if (head.body !== null) this.write(head.body)
    queueMicrotask(() => this.end())
  }

  get isOver(): boolean {
    return this.state === 'over'
  }

  /** The receiver of the answer is behind: wait for `onRoom`. */
  get isBehind(): boolean {
    return this.#unread >= UNREAD_BYTES_MAX
  }

  // The caller's side.

  write(chunk: Uint8Array): boolean {
    if (this.state !== 'gathering') return true
    this.#bytes += chunk.length
    if (this.#bytes <= EVENT_BODY_BYTES_MAX) this.#parts.push(chunk)
    else this.#parts = [] // refused at its end: whoever sends it may not listen before
    return true
  }

  writeMessage(): boolean {
    return true // this is no WebSocket
  }

  end(): void {
    if (this.state !== 'gathering') return
    if (this.#bytes > EVENT_BODY_BYTES_MAX) return this.#refuse()
    this.state = 'waiting'
    this.#home.onReady(this)
  }

  consumed(bytes: number): void {
    this.#unread -= bytes
    if (this.isBehind || this.onRoom === undefined) return
    const { onRoom } = this
    this.onRoom = undefined
    onRoom()
  }

  cancel(): void {
    if (this.isOver || this.isCancelled) return
    this.isCancelled = true
    // What the runtime has in hand ends with its answer: it has no ear for anything else.
    if (this.state === 'gathering' || this.state === 'waiting')
      queueMicrotask(() => this.fail('error', 'The call was cancelled.'))
    const { onRoom } = this
    this.onRoom = undefined
    onRoom?.()
  }

  // The runtime's side.

  /** The body, complete. It stays until the answer begins: a runtime that goes away as it asks has not seen it. */
  body(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)]
    const [only] = this.#parts
    return only === undefined ? Buffer.alloc(0) : Buffer.from(only.buffer, only.byteOffset, only.byteLength)
  }

  answerWhole({ status, headers }: AnswerStart, body: Buffer): void {
    const length = this.#hasNoBody(status) ? [] : ['content-length', String(body.length)]
    this.start({ status, headers: [...headers, ...length] })
    this.data(body)
    this.finish()
  }

  start({ status, headers }: AnswerStart): void {
    if (this.isOver || this.isCancelled) return
    this.#sink.onHead(status, headers)
    this.#dropsBody = this.#isBodiless || this.#hasNoBody(status)
  }

  data(chunk: Buffer): void {
    if (this.isOver || this.isCancelled || this.#dropsBody || chunk.length === 0) return
    this.#unread += chunk.length
    this.#sink.onData(chunk)
  }

  finish(): void {
    if (this.isOver) return
    if (this.isCancelled) return this.fail('error', 'The call was cancelled.')
    this.#leave()
    this.#sink.onEnd()
  }

  fail(kind: 'error' | 'closed' | 'violation', message: string, stack?: string): void {
    if (this.isOver) return
    this.#leave()
    this.#sink.onFail({ kind, message, ...(stack !== undefined && { stack }) })
  }

  #hasNoBody(status: number): boolean {
    return status === 204 || status === 304
  }

  #refuse(): void {
    this.answerWhole(
      { status: 413, headers: ['content-type', 'text/plain; charset=utf-8'] },
      Buffer.from(`An event may have a body of at most ${EVENT_BODY_BYTES_MAX} bytes.\n`),
    )
  }

  #leave(): void {
    this.state = 'over'
    this.#parts = []
    this.#home.onOver(this)
  }
}
