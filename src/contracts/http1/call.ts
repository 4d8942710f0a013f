import type { CallHandle, CallHead, CallSink } from '../contract.ts'
import type { AnswerHead } from './answer-head.ts'
import type { ConnectionUser, HttpConnection } from './connection.ts'
import type { RequestText } from './request.ts'

/** What a call needs of its link. */
export interface HttpCallHome {
  /** The call is over; its connection, if it has one, may carry another. */
  over(call: HttpCall, isReusable: boolean): void
  /** The connection broke under it: another one, or the reason. */
  broke(call: HttpCall, problem: string): void
}

const UNREAD_BYTES_MAX = 256 * 1024 // that the receiver has not passed on; then nothing more is read
const WAITING_BYTES_MAX = 256 * 1024 // of the request, while there is no connection
const AGAIN = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** One call: a request out, its answer back. */
export class HttpCall implements CallHandle, ConnectionUser {
  readonly number: number
  readonly head: CallHead
  readonly #home: HttpCallHome
  readonly #sink: CallSink
  readonly #request: RequestText
  connection: HttpConnection | undefined
  /** Whether its connection has carried another call before. */
  isReused = false
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #sent = 0
  #isRequestDone: boolean
  #isEndWaiting = false
  #isRefused = false
  #hasAnswered = false
  #unread = 0
  #isOver = false

  constructor(home: HttpCallHome, number: number, head: CallHead, request: RequestText, sink: CallSink) {
    this.#home = home
    this.number = number
    this.head = head
    this.#sink = sink
    this.#request = request
    this.#isRequestDone = head.body !== undefined
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether nothing is lost when it is sent once more: the server closed the connection before it saw the call. */
  get mayBeginAgain(): boolean {
    return (
      this.isReused && !this.#hasAnswered && this.head.body !== undefined && AGAIN.has(this.#request.method)
    )
  }

  begin(connection: HttpConnection, isReused: boolean): void {
    this.connection = connection
    this.isReused = isReused
    const { text, method } = this.#request
    connection.begin(this, text, this.head.body ?? undefined, method === 'HEAD')
    const waiting = this.#waiting
    if (waiting.length === 0 && !this.#isEndWaiting) return
    this.#waiting = []
    for (const piece of waiting) this.#send(piece)
    if (this.#isEndWaiting) this.#sendEnd()
    if (this.#isRefused && !connection.socket.writableNeedDrain) this.onWritable()
  }

  // The caller's side.

  write(chunk: Uint8Array): boolean {
    if (this.#isOver || this.#isRequestDone || chunk.length === 0) return true
    if (this.connection === undefined) {
      this.#waiting.push(chunk)
      this.#waitingBytes += chunk.length
      this.#isRefused = this.#waitingBytes >= WAITING_BYTES_MAX
      return !this.#isRefused
    }
    this.#isRefused = !this.#send(chunk)
    return !this.#isRefused
  }

  writeMessage(): boolean {
    return true // this is no WebSocket
  }

  end(): void {
    if (this.#isOver || this.#isRequestDone) return
    this.#isRequestDone = true
    if (this.connection === undefined) this.#isEndWaiting = true
    else this.#sendEnd()
  }

  consumed(bytes: number): void {
    this.#unread -= bytes
    const socket = this.connection?.socket
    if (!this.#isOver && this.#unread < UNREAD_BYTES_MAX / 2 && socket?.isPaused()) socket.resume()
  }

  cancel(): void {
    if (this.#isOver) return
    this.#end(false)
    // A server learns by the end of the connection that nobody waits any more.
    queueMicrotask(() => this.#sink.onFail({ kind: 'error', message: 'The call was cancelled.' }))
  }

  // The server's side.

  onWritable(): void {
    if (!this.#isRefused || this.#isOver) return
    this.#isRefused = false
    this.#sink.onDrain?.()
  }

  onHead({ status, headers, length }: AnswerHead): void {
    this.#hasAnswered = true
    if (status === 101) return this.onProblem('an upgrade that nobody asked for')
    const known = typeof length === 'number' && status !== 204
    this.#sink.onHead(status, known ? [...headers, 'content-length', String(length)] : headers)
  }

  onData(chunk: Buffer): void {
    if (this.#isOver) return
    this.#unread += chunk.length
    if (this.#unread >= UNREAD_BYTES_MAX) this.connection?.socket.pause()
    this.#sink.onData(chunk)
  }

  onEnd(isReusable: boolean): void {
    if (this.#isOver) return
    this.#end(isReusable && this.#isRequestDone)
    this.#sink.onEnd()
  }

  onProblem(problem: string): void {
    if (!this.#isOver) this.#home.broke(this, problem)
  }

  /** Ends it for a reason that is not the code's answer. */
  fail(kind: 'error' | 'closed' | 'violation', message: string): void {
    if (this.#isOver) return
    this.#end(false)
    this.#sink.onFail({ kind, message })
  }

  #send(piece: Uint8Array): boolean {
    const { socket } = this.connection!
    this.#sent += piece.length
    if (this.#request.framing !== 'chunked') {
      // What is longer than it said would be taken for the next request.
      if (typeof this.#request.framing !== 'number' || this.#sent > this.#request.framing) this.#lied()
      else return socket.write(piece)
      return true
    }
    socket.cork()
    socket.write(`${piece.length.toString(16)}\r\n`, 'latin1')
    socket.write(piece)
    const hasRoom = socket.write('\r\n', 'latin1')
    socket.uncork()
    return hasRoom
  }

  #sendEnd(): void {
    this.#isRequestDone = true
    if (this.#request.framing === 'chunked') this.connection!.socket.write('0\r\n\r\n', 'latin1')
    else if (this.#sent !== this.#request.framing) this.#lied()
  }

  #lied(): void {
    queueMicrotask(() => this.fail('error', 'The body was not as long as its content-length.'))
  }

  #end(isReusable: boolean): void {
    this.#isOver = true
    this.#waiting = []
    this.#home.over(this, isReusable)
  }
}
