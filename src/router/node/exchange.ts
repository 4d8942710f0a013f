import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Exchange, ExchangeReceiver } from '../front.ts'
import type { RouterLimits } from '../limits.ts'
import type { SocketWatch, Watched } from './socket-watch.ts'

/** What an exchange needs of the front it belongs to. */
export interface ExchangeHome {
  readonly limits: RouterLimits
  readonly watch: SocketWatch
  /** The exchange is over; the connection may go on. */
  ended(exchange: NodeExchange): void
  /** A body that is due stays away. */
  stalled(exchange: NodeExchange): void
}

/** An exchange on the pair that `node:http` gives. */
export class NodeExchange implements Exchange {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly remoteAddress: string
  readonly scheme = 'http'
  readonly bodyLength: number | undefined
  readonly watched: Watched
  receiver: ExchangeReceiver | undefined
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #home: ExchangeHome
  #expectsContinue: boolean
  #isOver = false

  constructor(
    home: ExchangeHome,
    watched: Watched,
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
  ) {
    this.#home = home
    this.watched = watched
    this.#request = request
    this.#response = response
    this.#expectsContinue = expectsContinue
    this.method = request.method!
    this.target = request.url!
    this.rawHeaders = request.rawHeaders
    this.remoteAddress = watched.address
    this.bodyLength = bodyLengthOf(request)
    watched.open++
    response.on('close', this.#onClose)
  }

  /** Whether an error of the connection can still be answered in this exchange's place. */
  get isUnanswered(): boolean {
    return !this.#isOver && !this.#response.headersSent
  }

  read(): void {
    if (this.#expectsContinue) {
      this.#expectsContinue = false
      this.#response.writeContinue()
    }
    const request = this.#request
    this.watched.onBodyStall = () => this.#home.stalled(this)
    request.on('data', chunk => this.receiver?.onBody(chunk))
    request.on('end', () => {
      this.watched.onBodyStall = undefined
      this.receiver?.onBodyEnd()
    })
  }

  pause(): void {
    this.watched.onBodyStall = undefined
    this.#request.pause()
  }

  resume(): void {
    if (!this.#request.complete) this.watched.onBodyStall = () => this.#home.stalled(this)
    this.#request.resume()
  }

  answer(status: number, headers: string[], length: number, body: Uint8Array | undefined): void {
    this.#writeHead(status, headers, length)
    this.#over()
    this.#response.end(body)
  }

  head(status: number, headers: string[], length: number): void {
    this.#writeHead(status, headers, length)
    this.#response.flushHeaders()
    this.#response.on('drain', this.#onDrain)
  }

  write(chunk: Uint8Array): boolean {
    return this.#response.write(chunk)
  }

  end(): void {
    this.#over()
    this.#response.end()
  }

  reset(): void {
    this.#over()
    this.watched.socket.resetAndDestroy()
  }

  /** The connection ends with this answer. */
  closeAfter(): void {
    if (!this.#response.headersSent) this.#response.shouldKeepAlive = false
  }

  /** The connection broke, or is about to be broken: the receiver hears of it once. */
  abort(): void {
    if (this.#isOver) return
    this.#over()
    this.receiver?.onAbort()
  }

  #writeHead(status: number, headers: string[], length: number): void {
    if (length >= 0) headers.push('content-length', String(length))
    if (!this.#request.complete && this.#closesEarly()) {
      this.#response.shouldKeepAlive = false
      const { socket } = this.watched
      // Node would destroy the socket with the rest of the body unread; that resets the connection, and the reset
      // can overtake the answer.
      socket.destroySoon = () => {
        socket.end()
        this.#home.watch.lingerUntilLate(socket)
      }
    }
    this.#response.writeHead(status, headers)
  }

  /** Whether the rest of the body is not worth reading for the sake of the connection. */
  #closesEarly(): boolean {
    const { bodyLength } = this
    return bodyLength === undefined || bodyLength > this.#home.limits.gatherBytesMax || this.#expectsContinue
  }

  #over(): void {
    this.#isOver = true
    this.watched.onBodyStall = undefined
  }

  readonly #onDrain = (): void => this.receiver?.onWritable()

  readonly #onClose = (): void => {
    this.watched.open--
    this.abort()
    this.#home.ended(this)
  }
}

function bodyLengthOf(request: IncomingMessage): number | undefined {
  const { headers } = request
  if (headers['transfer-encoding'] !== undefined) return undefined
  const length = headers['content-length']
  return length === undefined ? 0 : Number(length)
}
