import type { Server as HttpServer } from 'node:http'
import type { Socket } from 'node:net'
import { AtelierError, asAtelierError, ChunkDecoder, type Clock } from '../../core/index.ts'
import type { Upgrade } from '../front.ts'
import type { RouterLimits } from '../limits.ts'
import type { Flusher } from '../plane.ts'
import { refuseOn } from '../wire.ts'
import { ClientSocket } from './client-socket.ts'
import { ThinExchange } from './exchange.ts'
import { type Head, type HeadFields, headTooLarge, readHead, requestText } from './head.ts'
import { Outbox } from './outbox.ts'
import { ConnectionStalls } from './stalls.ts'

/** What a connection needs of the front it belongs to. */
export interface ConnectionHome {
  readonly limits: RouterLimits
  readonly isDraining: boolean
  readonly clock: Clock
  readonly flusher: Flusher
  begin(exchange: ThinExchange): void
  upgrade(upgrade: Upgrade): void
  refused(error: AtelierError): void
  /** `change` more connections have a request that is not over. */
  busy(change: 1 | -1): void
  closed(connection: Connection): void
}

/**
 * - `head`       waits for a request, or for the rest of its head
 * - `body`       takes a body in, for the exchange or (when that is over) for nobody
 * - `answering`  the request is complete, its answer is not; what comes meanwhile is kept for later
 * - `leaving`    the last answer is written; what still comes is dropped until the client closes
 * - `gone`       the socket is closed, or somebody else's
 */
type State = 'head' | 'body' | 'answering' | 'leaving' | 'gone'

/** One connection: requests in, one after the other; answers out. */
export class Connection {
  readonly socket: Socket
  readonly remoteAddress: string
  readonly scheme: 'http' | 'https'
  readonly home: ConnectionHome
  readonly outbox: Outbox
  #state: State = 'head'
  #exchange: ThinExchange | undefined
  /** Bytes that wait: the beginning of a head, or what came before its turn. */
  #kept: Buffer | undefined
  /** Bytes of `#kept` in which no end of a head was found. */
  #searched = 0
  #bodyLeft = 0
  #chunks: ChunkDecoder | undefined
  #isTaking = false
  #isBusy = false
  #dropped = 0
  #cancelLinger: (() => void) | undefined
  #requests = 0
  /** Of the last request. */
  #fields: HeadFields | undefined
  readonly #stalls = new ConnectionStalls()

  /** `carrier`: as in `Outbox`. */
  constructor(home: ConnectionHome, socket: Socket, carrier: Socket) {
    this.home = home
    this.socket = socket
    this.outbox = new Outbox(socket, carrier, home.flusher)
    this.scheme = socket === carrier ? 'http' : 'https'
    const address = carrier.remoteAddress ?? ''
    this.remoteAddress = address.startsWith('::ffff:') ? address.slice(7) : address
    if (socket instanceof ClientSocket) socket.onBytes = this.#onBytes
    else socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('drain', this.#onDrain)
    socket.on('error', ignore) // a client that resets is not news; 'close' follows
    socket.on('close', this.#onClose)
  }

  /** Called at intervals: ends what stands still. */
  look(nowMs: number): void {
    const { socket } = this
    const waiting = {
      forHead: this.#state === 'head',
      isHeadDue: this.#kept !== undefined || this.#requests === 0,
      forBody: this.#state === 'body' && !socket.isPaused() && this.#exchange?.isReading !== false,
      requests: this.#requests,
    }
    const overdue = this.#stalls.overdue(nowMs, waiting, socket, this.home.limits)
    if (overdue === 'write') this.outbox.reset()
    else if (overdue === 'idle') this.leave()
    else if (overdue !== undefined)
      this.#fail(new AtelierError('REQUEST_TIMEOUT', `The ${overdue} of the request did not arrive in time.`))
  }

  /** The exchange's answer is complete; `closes`: it was the last one here. */
  answered(closes: boolean): void {
    this.#exchange = undefined
    if (closes) {
      this.leave()
      return
    }
    this.#setBusy(false)
    if (this.socket.isPaused()) this.socket.resume()
    if (this.#state === 'answering') this.#state = 'head'
    if (!this.#isTaking) this.#take()
  }

  /** The body is wanted. */
  flow(): void {
    if (!this.#isTaking && this.#kept) this.#take()
  }

  /** Leaves the connection to `server`, which hears the request whose head this is, and what comes after it. */
  passOn(head: Head, server: HttpServer): void {
    const { socket } = this
    const bytes = Buffer.from(this.#kept ?? EMPTY) // of a buffer that is lent
    this.#exchange = undefined
    this.#setBusy(false)
    this.#release()
    socket.unshift(Buffer.concat([Buffer.from(requestText(head), 'latin1'), bytes]))
    server.emit('connection', socket)
  }

  get hasUnreadBody(): boolean {
    return this.#state === 'body'
  }

  /** Refuses what came in place of a request, and leaves. */
  refuse(error: AtelierError): void {
    this.home.refused(error)
    refuseOn(this.outbox.socket, error, this.home.clock.now())
    this.leave()
  }

  /** Says no more, and waits a while for the client to close, so that it can read the last answer. */
  leave(): void {
    if (this.#state === 'gone' || this.#state === 'leaving') return
    this.#state = 'leaving'
    this.#kept = undefined
    this.outbox.socket.end()
    this.socket.resume()
    this.#cancelLinger = this.home.clock.after(this.home.limits.lingerMs, () => this.socket.destroy())
  }

  /** The connection closes with the answer that is under way. */
  closeAfter(): void {
    this.#exchange?.closeAfter()
  }

  /** `bytes` are lent: of one whole head nothing is left when this returns; all else may be kept, and is copied. */
  readonly #onBytes = (bytes: Buffer): void => {
    const end = this.#state === 'head' && !this.#kept ? bytes.indexOf(HEAD_END, 0, 'latin1') : -1
    const isOneHead = end >= 0 && end + HEAD_END.length === bytes.length
    this.#onData(isOneHead ? bytes : Buffer.from(bytes))
  }

  readonly #onData = (bytes: Buffer): void => {
    if (this.#state === 'leaving') {
      this.#dropped += bytes.length
      if (this.#dropped > this.home.limits.lingerBytesMax) this.socket.destroy()
      return
    }
    this.#kept = this.#kept ? Buffer.concat([this.#kept, bytes]) : bytes
    if (!this.#isTaking) this.#take()
  }

  /** Goes through the bytes that are there, as far as their turn has come. */
  #take(): void {
    this.#isTaking = true
    try {
      while (this.#kept && this.#takeOne());
    } catch (error) {
      this.#fail(asAtelierError(error))
    }
    this.#isTaking = false
    // A client that sends ahead of its turn waits when there is enough for the next request.
    if (this.#state === 'answering' && this.#kept && this.#kept.length > this.home.limits.headBytesMax)
      this.socket.pause()
  }

  /** False: more bytes are needed, or it is not their turn. */
  #takeOne(): boolean {
    if (this.#state === 'head') return this.#takeHead()
    return this.#state === 'body' && this.#takeBody()
  }

  #takeHead(): boolean {
    let bytes = this.#kept!
    let start = 0
    while (bytes[start] === CR && bytes[start + 1] === LF) start += 2
    if (start > 0) bytes = this.#keep(start) ?? EMPTY
    const end = bytes.indexOf(HEAD_END, Math.max(0, this.#searched - HEAD_END.length + 1), 'latin1')
    const { limits } = this.home
    if ((end < 0 ? bytes.length : end) > limits.headBytesMax) throw headTooLarge(bytes, limits)
    if (end < 0) {
      // Bytes that can never become a head are refused before they fill it.
      const from = Math.max(0, this.#searched - 1)
      if (bytes.length > 0 && (!mayBegin(bytes[0]!) || bytes.indexOf('\n\n', from) >= 0))
        readHead(bytes.toString('latin1'), this.home.limits)
      this.#searched = bytes.length
      return false
    }
    const head = readHead(bytes.toString('latin1', 0, end), this.home.limits, this.#fields)
    // What cannot be compared with the next is not held while the connection is idle.
    this.#fields = head.fields.memo && head.fields
    this.#keep(end + HEAD_END.length)
    this.#requests++
    this.#begin(head)
    return true
  }

  #begin(head: Head): void {
    const { bodyLength, rawHeaders } = head.fields
    if (head.isWebSocket) {
      const { method, target } = head
      const rest = this.#kept ?? EMPTY
      const { socket, remoteAddress, scheme } = this
      this.#release()
      this.home.upgrade({ method, target, rawHeaders, remoteAddress, scheme, socket, rest })
      return
    }
    this.#chunks = bodyLength === undefined ? new ChunkDecoder(this.home.limits.headBytesMax) : undefined
    this.#bodyLeft = bodyLength ?? 0
    this.#state = bodyLength === 0 ? 'answering' : 'body'
    this.#exchange = new ThinExchange(this, head)
    this.#setBusy(true)
    if (this.home.isDraining) this.#exchange.closeAfter()
    this.home.begin(this.#exchange)
  }

  #takeBody(): boolean {
    const exchange = this.#exchange
    // Nobody has asked for it yet.
    if (exchange && !exchange.isReading) {
      if (this.#kept!.length > this.home.limits.headBytesMax) this.socket.pause()
      return false
    }
    const bytes = this.#kept!
    if (this.#chunks) {
      this.#keep(this.#chunks.decode(bytes, 0, data => this.#exchange?.receiver?.onBody(data)))
      if (this.#chunks.isDone) this.#endBody()
      return true
    }
    const length = Math.min(this.#bodyLeft, bytes.length)
    this.#keep(length)
    this.#bodyLeft -= length
    exchange?.receiver?.onBody(length === bytes.length ? bytes : bytes.subarray(0, length))
    if (this.#bodyLeft === 0) this.#endBody()
    return true
  }

  #endBody(): void {
    if (this.#state !== 'body') return
    this.#state = this.#exchange ? 'answering' : 'head'
    this.#exchange?.receiver?.onBodyEnd()
  }

  /** Drops the first `count` of the bytes that wait. */
  #keep(count: number): Buffer | undefined {
    this.#searched = 0
    const kept = this.#kept
    this.#kept = kept && count < kept.length ? kept.subarray(count) : undefined
    return this.#kept
  }

  /** A fault of the request: answered where that is still possible, else by a reset. */
  #fail(error: AtelierError): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.abort()
    if (this.#state === 'leaving' || this.#state === 'gone') return
    // Without an exchange the request has its answer: a second one would be taken for the next request's.
    if (exchange ? exchange.isHeadSent : this.#state === 'body') this.outbox.reset()
    else this.refuse(error)
  }

  readonly #onEnd = (): void => {
    // A client that ends its side takes no answer any more, as far as HTTP clients go.
    if (this.#state !== 'leaving') this.socket.destroy()
  }

  readonly #onDrain = (): void => this.#exchange?.receiver?.onWritable()

  readonly #onClose = (): void => {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#state = 'gone'
    this.#kept = undefined
    this.#cancelLinger?.()
    exchange?.abort()
    this.#setBusy(false)
    this.home.closed(this)
  }

  #setBusy(isBusy: boolean): void {
    if (isBusy === this.#isBusy) return
    this.#isBusy = isBusy
    this.home.busy(isBusy ? 1 : -1)
  }

  /** The socket is another's from now on, as `node:http` hands it over. */
  #release(): void {
    const { socket } = this
    this.outbox.flush() // the answer before goes first
    this.#state = 'gone'
    this.#kept = undefined
    if (socket instanceof ClientSocket) socket.onBytes = undefined
    socket.off('data', this.#onData)
    socket.off('end', this.#onEnd)
    socket.off('drain', this.#onDrain)
    socket.off('error', ignore)
    socket.off('close', this.#onClose)
    // Without a listener it would flow into nothing; the next listener for data makes it flow again.
    ;(socket as { readableFlowing: boolean | null }).readableFlowing = null
    this.home.closed(this)
  }
}

const CR = 0x0d
const LF = 0x0a
const HEAD_END = '\r\n\r\n'
const EMPTY = Buffer.alloc(0)

/** A method is a token; CR may be half of an empty line. */
const mayBegin = (byte: number): boolean => (byte > 0x20 && byte < 0x7f) || byte === CR

function ignore(): void {}
