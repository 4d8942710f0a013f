import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { AtelierError, nodeHttp } from '../../core/index.ts'
import { Drain } from '../drain.ts'
import type { Front, FrontOptions } from '../front.ts'
import type { RouterLimits } from '../limits.ts'
import { refuseOn } from '../wire.ts'
import { type ExchangeHome, NodeExchange } from './exchange.ts'
import { SocketWatch, type Watched } from './socket-watch.ts'

const BACKLOG = 4_096 // connections that wait to be accepted; the kernel may allow fewer

/** The front on `node:http`. */
export function createNodeFront(options: FrontOptions): Front {
  return new NodeFront(options)
}

class NodeFront implements Front, ExchangeHome {
  readonly limits: RouterLimits
  readonly watch: SocketWatch
  readonly #options: FrontOptions
  readonly #server: Server
  readonly #exchanges = new Set<NodeExchange>()
  readonly #drain: Drain

  constructor(options: FrontOptions) {
    this.#options = options
    const { limits, clock } = options
    this.limits = limits
    this.watch = new SocketWatch(clock, limits)
    this.#drain = new Drain(clock)
    const server = nodeHttp().createServer({
      maxHeaderSize: limits.headBytesMax,
      headersTimeout: limits.headTimeoutMs,
      requestTimeout: 0, // a long upload is no fault; `SocketWatch` ends one that stands still
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(1_000, limits.headTimeoutMs / 4),
      insecureHTTPParser: false,
      keepAlive: true, // TCP's: finds clients that vanished without a word under a silent stream
      keepAliveInitialDelay: 60_000,
      requireHostHeader: false, // refused by ourselves, with a problem document
      shouldUpgradeCallback: isWebSocket,
    })
    server.maxConnections = limits.connectionsMax
    server.maxHeadersCount = 0 // counted by ourselves: Node would drop the rest in silence
    server.on('connection', (socket: Socket) => this.watch.add(socket))
    server.on('request', (request, response) => this.#begin(request, response, false))
    server.on('checkContinue', (request, response) => this.#begin(request, response, true))
    server.on('checkExpectation', (request: IncomingMessage) =>
      this.#refuse(
        request.socket,
        new AtelierError('EXPECTATION_FAILED', 'Only the expectation 100-continue can be met.'),
      ),
    )
    server.on('connect', (_request, socket) =>
      this.#refuse(socket, new AtelierError('NOT_IMPLEMENTED', 'The method CONNECT is not spoken here.')),
    )
    server.on('upgrade', (request, socket, rest) => this.#upgrade(request, socket, rest))
    server.on('clientError', (error, socket) => this.#clientError(error, socket))
    this.#server = server
  }

  get connectionsOpen(): number {
    return this.watch.size
  }

  get listener(): NetServer {
    return this.#server
  }

  listen(port: number, host: string, fd?: number): Promise<{ port: number; host: string }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      const listening = (): void => {
        this.#server.off('error', reject)
        const address = this.#server.address() as AddressInfo
        resolve({ port: address.port, host: address.address })
      }
      if (fd === undefined) this.#server.listen(port, host, BACKLOG, listening)
      else this.#server.listen({ fd }, BACKLOG, listening)
    })
  }

  async drain(graceMs: number): Promise<void> {
    // Not `http.Server.close`, which cuts idle connections under requests that are on their way.
    NetServer.prototype.close.call(this.#server)
    for (const exchange of this.#exchanges) exchange.closeAfter()
    await this.#drain.begin(graceMs, this.#exchanges.size)
    await this.close()
  }

  close(): Promise<void> {
    this.watch.close()
    this.#server.closeAllConnections()
    return new Promise(resolve => this.#server.close(() => resolve()))
  }

  ended(exchange: NodeExchange): void {
    this.#exchanges.delete(exchange)
    this.#drain.left(this.#exchanges.size)
  }

  stalled(exchange: NodeExchange): void {
    this.#breakIn(
      exchange.watched,
      exchange,
      new AtelierError('REQUEST_TIMEOUT', 'The body did not arrive in time.'),
    )
  }

  #begin(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const watched = this.watch.of(request.socket)
    const refusal = refusalOf(request, this.limits)
    if (refusal || !watched) {
      this.#refuse(request.socket, refusal ?? new AtelierError('INTERNAL', 'The connection is gone.'))
      return
    }
    const exchange = new NodeExchange(this, watched, request, response, expectsContinue)
    this.#exchanges.add(exchange)
    if (this.#drain.isDraining) exchange.closeAfter()
    this.#options.handler.onExchange(exchange)
  }

  #upgrade(request: IncomingMessage, socket: Duplex, rest: Buffer): void {
    const refusal = refusalOf(request, this.limits)
    if (refusal) {
      this.#refuse(socket, refusal)
      return
    }
    const { method, url, rawHeaders } = request
    const remoteAddress = this.watch.of(request.socket)?.address ?? ''
    this.watch.release(request.socket)
    this.#options.handler.onUpgrade({
      method: method!,
      target: url!,
      rawHeaders,
      remoteAddress,
      scheme: 'http',
      socket,
      rest,
    })
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const watched = this.watch.of(socket as Socket)
    if (!watched || error.code === 'ECONNRESET' || !socket.writable) socket.destroy()
    else if (watched.open === 0) this.#refuse(socket, protocolError(error, this.limits))
    else {
      const [exchange] = [...this.#exchanges].filter(other => other.watched === watched)
      this.#breakIn(watched, exchange, protocolError(error, this.limits))
    }
  }

  /** Refuses in the place of a running exchange; where its answer has begun, or several wait, by a reset. */
  #breakIn(watched: Watched, exchange: NodeExchange | undefined, error: AtelierError): void {
    const canAnswer = exchange?.isUnanswered === true && watched.open === 1
    exchange?.abort()
    if (canAnswer) this.#refuse(watched.socket, error)
    else watched.socket.resetAndDestroy()
  }

  #refuse(socket: Duplex, error: AtelierError): void {
    this.#options.handler.onRefused(error)
    refuseOn(socket, error, this.#options.clock.now())
    this.watch.linger(socket as Socket)
  }
}

function isWebSocket(request: IncomingMessage): boolean {
  return request.method === 'GET' && request.headers.upgrade?.toLowerCase() === 'websocket'
}

/** What `node:http` lets through and we do not. */
function refusalOf(request: IncomingMessage, limits: RouterLimits): AtelierError | undefined {
  if (request.url!.length > limits.targetBytesMax)
    return new AtelierError(
      'URI_TOO_LONG',
      `The address is longer than the ${limits.targetBytesMax} bytes taken here.`,
    )
  if (request.rawHeaders.length > limits.headersMax * 2)
    return new AtelierError(
      'HEADERS_TOO_LARGE',
      `There are more than the ${limits.headersMax} header fields taken here.`,
    )
  if (request.httpVersion === '1.1' && request.headers.host === undefined)
    return new AtelierError('INVALID_INPUT', 'A request of HTTP/1.1 must have a Host header.')
  if (request.httpVersionMajor !== 1)
    return new AtelierError('HTTP_VERSION_UNSUPPORTED', 'Only HTTP/1.0 and HTTP/1.1 are spoken here.')
  return undefined
}

function protocolError(error: NodeJS.ErrnoException, limits: RouterLimits): AtelierError {
  switch (error.code ?? '') {
    case 'HPE_HEADER_OVERFLOW':
      return new AtelierError(
        'HEADERS_TOO_LARGE',
        `The head is larger than the ${limits.headBytesMax} bytes taken here.`,
      )
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new AtelierError('BODY_TOO_LARGE', 'The chunk extensions are larger than what is taken here.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new AtelierError('REQUEST_TIMEOUT', 'The request did not arrive in time.')
    case 'HPE_INVALID_VERSION':
      return new AtelierError('HTTP_VERSION_UNSUPPORTED', 'Only HTTP/1.0 and HTTP/1.1 are spoken here.')
    default:
      return new AtelierError('INVALID_INPUT', 'This is not a well-formed HTTP/1.1 request.')
  }
}
