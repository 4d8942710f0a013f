import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Server as Listener, Socket } from 'node:net'
import { nodeHttp } from '../../core/index.ts'
import type { LambdaCall } from './call.ts'
import { ERROR_BYTES_MAX, gather, passAnswer, type Refusal, type ReportedError, readError } from './reply.ts'

/** What the runtime is told about a call. */
export interface Invocation {
  readonly event: string | Buffer
  /** Name and value of more headers. */
  readonly headers: Readonly<Record<string, string>>
  /** The body was the event, and the result is the body. */
  readonly isRaw: boolean
}

/** What a runtime API needs to know, and tells. */
export interface RuntimeApiHome {
  readonly concurrency: number
  /** Called once when a call is given to the runtime. */
  invocationOf(call: LambdaCall): Invocation
  /** The runtime asked for work for the first time: it is ready. */
  onFirstPoll(): void
  /** The runtime cannot start. */
  onInitError(error: ReportedError): void
  /** The function failed. */
  onError(call: LambdaCall, error: ReportedError): void
}

const VERSION = '/2018-06-01/runtime'
const INVOCATION = /^\/2018-06-01\/runtime\/invocation\/([^/?]{1,128})\/(response|error)$/
const HEAD_MS_MAX = 10_000
const SOCKETS_SPARE = 16 // connections and polls beyond one for each call at once

/** AWS Lambda's Runtime API for one instance: its runtime asks for calls, and brings the answers. What it says is hostile. */
export class RuntimeApi {
  readonly #home: RuntimeApiHome
  readonly #http: Server
  readonly #sockets = new Set<Socket>() // bounded by the listener's maxConnections
  readonly #polls: ServerResponse[] = []
  readonly #waiting: LambdaCall[] = [] // bounded by the calls that the pool lets in
  readonly #running = new Map<string, { readonly call: LambdaCall; readonly isRaw: boolean }>()
  #listener: Listener | undefined
  #isReady = false

  constructor(home: RuntimeApiHome) {
    this.#home = home
    this.#http = nodeHttp().createServer({ keepAlive: true, noDelay: true }, (request, response) => {
      request.on('error', () => {}) // 'close' follows
      response.on('error', () => {})
      this.#answer(request, response)
    })
    // Between two calls a runtime may think for as long as it likes.
    this.#http.keepAliveTimeout = 0
    this.#http.requestTimeout = 0
    this.#http.headersTimeout = HEAD_MS_MAX
  }

  /** Serves what connects to `listener`, which it closes in the end. */
  serve(listener: Listener): void {
    this.#listener = listener
    listener.maxConnections = this.#home.concurrency * 2 + SOCKETS_SPARE
    listener.on('error', () => {})
    listener.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.once('close', () => this.#sockets.delete(socket))
      this.#http.emit('connection', socket)
    })
  }

  /** Gives the call to the next poll. */
  add(call: LambdaCall): void {
    const poll = this.#polls.shift()
    if (poll === undefined) this.#waiting.push(call)
    else this.#give(call, poll)
  }

  /** The call is over: nothing more may be said about it. */
  remove(call: LambdaCall): void {
    const at = this.#waiting.indexOf(call)
    if (at >= 0) this.#waiting.splice(at, 1)
    if (this.#running.get(call.head.id)?.call === call) this.#running.delete(call.head.id)
  }

  close(): void {
    this.#listener?.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method, url = '' } = request
    if (method === 'GET' && url === `${VERSION}/invocation/next`) return this.#poll(response)
    const [, id, word] = INVOCATION.exec(url) ?? []
    if (method === 'POST' && id !== undefined) {
      void this.#take(request, id, word === 'error').then(refusal => tell(response, refusal))
    } else if (method === 'POST' && url === `${VERSION}/init/error`) {
      void this.#initError(request).then(refusal => tell(response, refusal))
    } else {
      request.resume()
      tell(response, {
        status: 404,
        type: 'NotFound',
        message: `There is no ${method} ${url.slice(0, 200)}.`,
      })
    }
  }

  #poll(response: ServerResponse): void {
    if (this.#polls.length >= this.#home.concurrency + SOCKETS_SPARE)
      return tell(response, { status: 403, type: 'TooManyPolls', message: 'Enough others wait already.' })
    if (!this.#isReady) {
      this.#isReady = true
      this.#home.onFirstPoll()
    }
    if (this.#home.concurrency === 1) this.#leaveUnanswered()
    const call = this.#waiting.shift()
    if (call !== undefined) return this.#give(call, response)
    this.#polls.push(response)
    response.once('close', () => {
      const at = this.#polls.indexOf(response)
      if (at >= 0) this.#polls.splice(at, 1)
    })
  }

  /** A runtime that takes one call at a time and asks for the next has given up the one before. */
  #leaveUnanswered(): void {
    for (const { call } of this.#running.values())
      if (call.state === 'running')
        call.fail(
          call.isCancelled ? 'error' : 'violation',
          'The runtime asked for the next call before it answered this one.',
        )
  }

  #give(call: LambdaCall, response: ServerResponse): void {
    const { event, headers, isRaw } = this.#home.invocationOf(call)
    call.state = 'running'
    this.#running.set(call.head.id, { call, isRaw })
    response.once('close', () => {
      // It went away as it asked, and has seen nothing of the call.
      if (response.writableFinished || call.state !== 'running') return
      this.#running.delete(call.head.id)
      if (call.isCancelled) return call.fail('error', 'The call was cancelled.')
      call.state = 'waiting'
      this.add(call)
    })
    response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(event),
      ...headers,
    })
    response.end(event)
  }

  async #take(request: IncomingMessage, id: string, isError: boolean): Promise<Refusal> {
    const found = this.#running.get(id)
    if (found === undefined || found.call.state !== 'running') {
      request.resume()
      return {
        status: 400,
        type: 'InvalidRequestID',
        message: 'No call that waits for an answer has this id.',
      }
    }
    const { call, isRaw } = found
    call.state = 'answering' // a second answer finds nothing
    if (!isError) return passAnswer(request, call, isRaw)
    const error = await this.#read(request)
    if (error === undefined) {
      call.fail('violation', 'The runtime closed the connection before its error was told.')
      return undefined
    }
    this.#home.onError(call, error)
    return undefined
  }

  async #initError(request: IncomingMessage): Promise<Refusal> {
    const error = await this.#read(request)
    if (error !== undefined) this.#home.onInitError(error)
    return undefined
  }

  async #read(request: IncomingMessage): Promise<ReportedError | undefined> {
    const body = await gather(request, ERROR_BYTES_MAX)
    if (body === undefined) return undefined
    const type = request.headers['lambda-runtime-function-error-type']
    return readError(
      body === 'too long' ? Buffer.alloc(0) : body,
      typeof type === 'string' ? type : undefined,
    )
  }
}

function tell(response: ServerResponse, refusal: Refusal): void {
  if (response.destroyed) return
  const { status, type, message } = refusal ?? { status: 202, type: undefined, message: undefined }
  const body = JSON.stringify(
    refusal === undefined ? { status: 'OK' } : { errorMessage: message, errorType: type },
  )
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
}
