import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { closeOf, closePayload } from '../../core/index.ts'
import type { CallHandle, CallHead, CallSink } from '../contract.ts'
import { readAnswerHead } from './answer-head.ts'
import type { RequestText } from './request.ts'

/** What a WebSocket needs of its link. */
export interface SocketCallHome {
  over(call: HttpSocketCall): void
  /** It broke off before it was closed: it sent `problem`, or the reason is the process's. */
  brokeOff(call: HttpSocketCall, kind: 'error' | 'violation', problem: string): void
}

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024 // of the server; the router's limit for clients is smaller
const UNREAD_BYTES_MAX = 256 * 1024 // that the receiver has not passed on; then nothing more is read
const UNSENT_BYTES_MAX = 256 * 1024
const NO_WORD = 1006 // the connection broke without a close frame

/** One WebSocket to a server in an instance: a connection of its own, which becomes it when the server accepts. */
export class HttpSocketCall implements CallHandle {
  readonly number: number
  readonly #home: SocketCallHome
  readonly #head: CallHead
  readonly #request: RequestText
  readonly #sink: CallSink
  #webSocket: WebSocket | undefined
  #refusal: IncomingMessage | undefined
  #isOpen = false
  #isRefused = false
  #unread = 0
  #isOver = false
  #problem: string | undefined

  constructor(home: SocketCallHome, number: number, head: CallHead, request: RequestText, sink: CallSink) {
    this.#home = home
    this.number = number
    this.#head = head
    this.#request = request
    this.#sink = sink
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Asks for the WebSocket over a new connection. */
  begin(socket: Socket): void {
    const { headers, protocols } = handshakeFields(this.#request.text)
    const webSocket = new WebSocket('ws://localhost/', protocols, {
      createConnection: () => socket,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      // As it was asked for, and not as a URL would be written.
      finishRequest: (request: ClientRequest) => {
        request.path = this.#head.target
        for (const [name, values] of headers) request.setHeader(name, values)
        request.end()
      },
    })
    this.#webSocket = webSocket
    webSocket.on('open', () => {
      this.#isOpen = true
      const { protocol } = webSocket
      this.#sink.onHead(101, protocol === '' ? [] : ['sec-websocket-protocol', protocol])
    })
    webSocket.on('unexpected-response', (_, response) => this.#onRefusal(response))
    webSocket.on('error', (error: Error) => (this.#problem = error.message))
    webSocket.on('message', (data: Buffer, isBinary) => this.#onMessage(data, !isBinary))
    webSocket.on('close', (code, reason) => this.#onClose(code, reason))
  }

  // The caller's side.

  write(): boolean {
    return true // messages are all that follows
  }

  writeMessage(data: Uint8Array, text: boolean): boolean {
    const webSocket = this.#webSocket
    if (this.#isOver || !this.#isOpen || webSocket === undefined) return true
    webSocket.send(data, { binary: !text }, () => this.#onSent(webSocket))
    this.#isRefused = webSocket.bufferedAmount >= UNSENT_BYTES_MAX
    return !this.#isRefused
  }

  end(close?: Uint8Array): void {
    if (this.#isOver) return
    const { code, reason } = closeOf(close)
    this.#webSocket?.close(code, reason)
  }

  consumed(bytes: number): void {
    this.#unread -= bytes
    if (this.#isOver || this.#unread >= UNREAD_BYTES_MAX / 2) return
    if (this.#webSocket?.isPaused === true) this.#webSocket.resume()
    if (this.#refusal?.isPaused() === true) this.#refusal.resume()
  }

  cancel(): void {
    if (this.#isOver) return
    this.#end()
    queueMicrotask(() => this.#sink.onFail({ kind: 'error', message: 'The call was cancelled.' }))
  }

  // The server's side.

  /** Ends it for a reason that is not the code's answer. */
  fail(kind: 'error' | 'closed' | 'violation', message: string): void {
    if (this.#isOver) return
    this.#end()
    this.#sink.onFail({ kind, message })
  }

  #onMessage(data: Buffer, text: boolean): void {
    if (this.#isOver) return
    this.#unread += data.length
    if (this.#unread >= UNREAD_BYTES_MAX) this.#webSocket?.pause()
    this.#sink.onMessage?.(data, text)
  }

  #onSent(webSocket: WebSocket): void {
    if (this.#isOver || !this.#isRefused || webSocket.bufferedAmount >= UNSENT_BYTES_MAX) return
    this.#isRefused = false
    this.#sink.onDrain?.()
  }

  /** An answer like any other; the router passes it on while it is small. */
  #onRefusal(response: IncomingMessage): void {
    const lines = response.rawHeaders.flatMap((name, i, all) =>
      i % 2 === 0 ? [`${name}: ${all[i + 1]}`] : [],
    )
    const head = readAnswerHead([`HTTP/1.1 ${response.statusCode} `, ...lines].join('\r\n'))
    if (typeof head === 'string') return this.fail('violation', `The server sent ${head}.`)
    this.#refusal = response
    this.#sink.onHead(head.status, head.headers)
    response.on('data', (chunk: Buffer) => {
      if (this.#isOver) return
      this.#unread += chunk.length
      if (this.#unread >= UNREAD_BYTES_MAX) response.pause()
      this.#sink.onData(chunk)
    })
    response.on('error', () => {}) // 'close' follows
    response.on('close', () => {
      if (this.#isOver) return
      if (!response.complete) return this.fail('violation', 'The server sent less than its answer promised.')
      this.#end()
      this.#sink.onEnd()
    })
  }

  #onClose(code: number, reason: Buffer): void {
    if (this.#isOver || this.#refusal !== undefined) return
    if (code !== NO_WORD && this.#isOpen && this.#problem === undefined) {
      this.#end()
      this.#sink.onEnd(closePayload(code, reason))
      return
    }
    const problem = this.#problem ?? 'no close frame before the end of its connection'
    // A server may drop a client that it has lost; what is no WebSocket breaks the contract.
    const kind = this.#isOpen && this.#problem === undefined ? 'error' : 'violation'
    this.#home.brokeOff(this, kind, problem)
  }

  #end(): void {
    this.#isOver = true
    this.#webSocket?.terminate()
    this.#home.over(this)
  }
}

const OF_A_BODY = new Set(['content-length', 'transfer-encoding'])

/** The fields of a request's text, without those of the handshake, which `ws` makes itself. */
function handshakeFields(text: string): {
  readonly headers: ReadonlyMap<string, string[]>
  readonly protocols: string[]
} {
  const headers = new Map<string, string[]>()
  const protocols: string[] = []
  for (const line of text.split('\r\n').slice(1)) {
    const colon = line.indexOf(': ')
    if (colon < 0) continue
    const name = line.slice(0, colon)
    const value = line.slice(colon + 2)
    if (name === 'sec-websocket-protocol') protocols.push(...value.split(',').map(each => each.trim()))
    else if (!name.startsWith('sec-websocket-') && !OF_A_BODY.has(name))
      headers.set(name, [...(headers.get(name) ?? []), value])
  }
  return { headers, protocols }
}
