import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange, ExchangeReceiver, FieldsMemo } from '../front.ts'
import { LENGTH_UNKNOWN } from '../front.ts'
import { headText } from '../wire.ts'
import type { Connection } from './connection.ts'
import type { Head } from './head.ts'

/** An exchange that writes its answer straight to the socket. */
export class ThinExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly memo: FieldsMemo | undefined
  readonly remoteAddress: string
  readonly scheme: 'http' | 'https'
  readonly bodyLength: number | undefined
  receiver: ExchangeReceiver | undefined
  isReading = false
  isHeadSent = false
  readonly #connection: Connection
  readonly #request: Head
  #expectsContinue: boolean
  #closes: boolean
  #isChunked = false
  #isCorked = false
  #isOver = false

  constructor(connection: Connection, head: Head) {
    this.#connection = connection
    this.method = head.method
    this.target = head.target
    const { fields } = head
    this.rawHeaders = fields.rawHeaders
    this.memo = fields.memo
    this.remoteAddress = connection.remoteAddress
    this.scheme = connection.scheme
    this.bodyLength = fields.bodyLength
    this.#request = head
    this.#expectsContinue = fields.expectsContinue
    this.#closes = !fields.keepsAlive
  }

  /** What its request came by. */
  get socket(): Socket {
    return this.#connection.socket
  }

  /**
   * In place of all else: leaves the connection to `server`, which hears this request from its beginning, and all that follow. Only in
   * the turn of `onExchange`, and not after `read`.
   */
  passOn(server: HttpServer): void {
    this.#isOver = true
    this.#connection.passOn(this.#request, server)
  }

  read(): void {
    this.isReading = true
    if (this.#expectsContinue) {
      this.#expectsContinue = false
      this.#connection.outbox.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    }
    this.#connection.socket.resume()
    this.#connection.flow()
  }

  pause(): void {
    this.#connection.socket.pause()
  }

  resume(): void {
    this.#connection.socket.resume()
  }

  answer(status: number, headers: string[], length: number, body: Uint8Array | undefined): void {
    const head = this.#head(status, headers, length)
    if (!body || body.length <= JOINED_BYTES_MAX) {
      // One write and one piece, as text: cheaper than a buffer to put both in, or two pieces written together.
      this.#connection.outbox.writeSoon(body ? head + latin1Of(body) : head)
    } else {
      this.#cork()
      this.#connection.outbox.socket.write(head, 'latin1')
      this.#connection.socket.write(body)
    }
    this.#finish()
  }

  head(status: number, headers: string[], length: number): void {
    const head = this.#head(status, headers, length)
    this.#cork()
    this.#connection.outbox.socket.write(head, 'latin1')
  }

  write(chunk: Uint8Array): boolean {
    const { socket } = this.#connection
    if (!this.#isChunked) return socket.write(chunk)
    if (chunk.length === 0) return !socket.writableNeedDrain // an empty chunk would end the body
    this.#cork()
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
    socket.write(chunk)
    return socket.write('\r\n', 'latin1')
  }

  end(): void {
    if (this.#isChunked) this.#connection.socket.write('0\r\n\r\n', 'latin1')
    this.#finish()
  }

  reset(): void {
    this.#isOver = true
    this.#connection.outbox.reset()
  }

  /** The connection ends with this answer. */
  closeAfter(): void {
    if (!this.isHeadSent) this.#closes = true
  }

  /** The connection broke, or is about to be broken: the receiver hears of it once. */
  abort(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.receiver?.onAbort()
  }

  #head(status: number, headers: string[], length: number): string {
    this.isHeadSent = true
    if (length >= 0) headers.push('content-length', String(length))
    else if (length === LENGTH_UNKNOWN) {
      // HTTP/1.0 knows no chunks: there the end of the connection is the end of the body.
      if (this.#request.isOld) this.#closes = true
      else {
        this.#isChunked = true
        headers.push('transfer-encoding', 'chunked')
      }
    }
    if (this.#connection.hasUnreadBody && this.#isNotWorthReading()) this.#closes = true
    if (this.#closes) headers.push('connection', 'close')
    else if (this.#request.isOld) headers.push('connection', 'keep-alive')
    return headText(status, headers)
  }

  /** Whether the rest of the body is not worth reading for the sake of the connection. */
  #isNotWorthReading(): boolean {
    const { bodyLength } = this
    return (
      bodyLength === undefined ||
      bodyLength > this.#connection.home.limits.gatherBytesMax ||
      this.#expectsContinue
    )
  }

  #finish(): void {
    this.#isOver = true
    // The body may have gone on after the head said that the connection stays.
    this.#connection.answered(this.#closes || (this.#connection.hasUnreadBody && this.#isNotWorthReading()))
  }

  /** What is written in one turn leaves together. */
  #cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    const { socket } = this.#connection
    socket.cork()
    process.nextTick(() => {
      this.#isCorked = false
      socket.uncork()
    })
  }
}

// Node writes a text of up to 16 KiB without allocating for it.
const JOINED_BYTES_MAX = 8_192

function latin1Of(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer.toString('latin1')
}
