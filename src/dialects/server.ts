import type { Server as HttpServer, ServerResponse } from 'node:http'
import type { Server, Socket } from 'node:net'
import fastify, { type FastifyInstance } from 'fastify'
import { BODY_BYTES_BUFFERED_MAX, newId } from '../core/index.ts'
import { createThinFront, type Front, ROUTER_LIMITS_DEFAULT, type ThinExchange } from '../router/index.ts'
import { type CallReader, PlainCall } from './calls.ts'
import type { Dialect, DialectLog, DialectParts } from './dialect.ts'

const REQUEST_TIMEOUT_MS = 5 * 60_000 // for a whole request to come in
const HEADERS_TIMEOUT_MS = 15_000
const CONNECTIONS_MAX = 4_096 // who opens more keeps others out of this dialect, and not files from the router
const DRAIN_MS = 5 * 60_000 // who closes us has less patience

/** A server for one dialect. */
export interface DialectServer {
  /** How many requests came. */
  readonly requests: number
  /** Rejects with Node's own error (EADDRINUSE …) when the port cannot be had. `fd`: a socket that listens already. */
  listen(at: { readonly port: number; readonly host: string; readonly fd?: number }): Promise<Server>
  /** Takes nothing new; resolves when requests that run have finished. */
  close(): Promise<void>
}

export async function createDialectServer(dialect: Dialect, parts: DialectParts): Promise<DialectServer> {
  const framework = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_BUFFERED_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    genReqId: () => newId(parts.clock.now()),
    routerOptions: { maxParamLength: 1024 },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  })
  const isLogged = parts.log.isLevelEnabled('debug') // not where nobody reads it: it is on every call's way
  if (isLogged) logRequests(framework, dialect.name, parts.log)
  const calls = (await dialect.register(framework, parts)) ?? undefined
  await framework.ready()
  return new FrontedServer(framework, calls && isLogged ? logged(calls, dialect.name, parts) : calls, parts)
}

/**
 * The router's front before the framework: plain calls of functions are answered from there, and whatever else a client asks goes on to
 * the framework, with its connection.
 */
class FrontedServer implements DialectServer {
  readonly #framework: FastifyInstance
  readonly #http: HttpServer
  readonly #front: Front
  readonly #calls: CallReader | undefined
  /** Connections that are the framework's, and the latest answer of each, made or being made. */
  readonly #passedOn = new Map<Socket, ServerResponse | undefined>()
  #onLeft: (() => void) | undefined
  #isClosing = false
  #requests = 0

  constructor(
    framework: FastifyInstance,
    calls: CallReader | undefined,
    { clock, log, encrypt }: DialectParts,
  ) {
    this.#framework = framework
    this.#http = framework.server
    this.#calls = calls
    this.#front = createThinFront({
      limits: { ...ROUTER_LIMITS_DEFAULT, connectionsMax: CONNECTIONS_MAX },
      clock,
      encrypt,
      handler: {
        onExchange: exchange => this.#take(exchange as ThinExchange),
        onUpgrade: ({ socket }) => socket.end(NO_WEB_SOCKETS),
        onRefused: error => {
          if (error.fault === 'platform') log.error({ err: error.cause ?? error }, error.message)
        },
      },
    })
    this.#http.prependListener('request', ({ socket }, response) => {
      this.#requests++
      this.#passedOn.set(socket, response)
      if (this.#isClosing) this.#isLast(response)
    })
    // It never listens, and begins to watch its connections, for how long requests take, when it hears that it does.
    this.#http.emit('listening')
  }

  get requests(): number {
    return this.#requests
  }

  async listen({ port, host, fd }: { port: number; host: string; fd?: number }): Promise<Server> {
    await this.#front.listen(port, host, fd)
    return this.#front.listener
  }

  async close(): Promise<void> {
    this.#isClosing = true
    for (const response of this.#passedOn.values())
      if (response?.writableFinished === false) this.#isLast(response)
    this.#http.closeIdleConnections()
    await this.#front.drain(DRAIN_MS)
    while (this.#passedOn.size > 0) await new Promise<void>(resolve => (this.#onLeft = resolve))
    this.#http.close() // which only stops its watching
    await this.#framework.close()
  }

  #take(exchange: ThinExchange): void {
    const call = this.#calls?.(exchange)
    if (call) {
      this.#requests++
      new PlainCall(exchange, call).start()
    } else this.#passOn(exchange)
  }

  #passOn(exchange: ThinExchange): void {
    const { socket } = exchange
    this.#passedOn.set(socket, undefined)
    socket.once('close', () => {
      this.#passedOn.delete(socket)
      this.#onLeft?.()
    })
    exchange.passOn(this.#http)
  }

  /** The connection ends with this answer. */
  #isLast(response: ServerResponse): void {
    if (!response.headersSent) response.setHeader('connection', 'close')
    else response.once('close', () => this.#http.closeIdleConnections())
  }
}

function logRequests(server: FastifyInstance, dialect: string, log: DialectLog): void {
  server.addHook('onResponse', (request, reply, done) => {
    const fields = {
      dialect,
      requestId: request.id,
      method: request.method,
      path: request.url.split('?', 1)[0], // a query may hold what is nobody's business
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    }
    log.debug(fields, 'request')
    done()
  })
}

/** The same for calls that do not go through the framework. */
function logged(calls: CallReader, dialect: string, { log, clock }: DialectParts): CallReader {
  return head => {
    const call = calls(head)
    return (
      call &&
      (async (body, signal) => {
        const since = clock.monotonic()
        const answer = await call(body, signal)
        const ms = Math.round((clock.monotonic() - since) * 10) / 10
        log.debug({ dialect, method: head.method, path: head.target, status: answer.status, ms }, 'request')
        return answer
      })
    )
  }
}

const NO_WEB_SOCKETS = 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'
