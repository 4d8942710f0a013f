import { type WebSocket, WebSocketServer } from 'ws'
import { AtelierError, type Clock } from '../core/index.ts'
import type { Upgrade } from './front.ts'
import type { RouterLimits } from './limits.ts'

/** A client's side of the opening handshake (RFC 6455, 4.1). */
export interface Handshake {
  readonly key: string
  readonly protocols: readonly string[]
}

/** Throws INVALID_INPUT for a handshake that breaks the rules; a function never hears of it. */
export function readHandshake({ rawHeaders }: Upgrade): Handshake {
  let key: string | undefined
  let version: string | undefined
  const protocols: string[] = []
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    const value = rawHeaders[i + 1]!
    if (name === 'sec-websocket-key') key = key === undefined ? value : ''
    else if (name === 'sec-websocket-version') version = value
    else if (name === 'sec-websocket-protocol') protocols.push(...value.split(',').map(item => item.trim()))
  }
  if (version !== '13')
    throw new AtelierError('INVALID_INPUT', 'The WebSocket handshake must be of version 13.')
  if (key === undefined || !KEY.test(key))
    throw new AtelierError('INVALID_INPUT', 'The WebSocket handshake has no valid key.')
  if (!protocols.every(name => TOKEN.test(name)) || new Set(protocols).size !== protocols.length)
    throw new AtelierError(
      'INVALID_INPUT',
      'The WebSocket handshake offers sub-protocols that are not distinct tokens.',
    )
  return { key, protocols }
}

/** Something that holds a WebSocket, or the wish for one. */
interface Pingable {
  ping(): void
  goAway(): void
  destroy(): void
}

/** All WebSockets of a router: accepts them, and asks at intervals whether they are still there. */
export class SocketHost {
  readonly calls = new Set<Pingable>()
  readonly #server: WebSocketServer
  readonly #clock: Clock
  readonly #pingMs: number
  #cancelPing: (() => void) | undefined

  constructor(clock: Clock, limits: RouterLimits) {
    this.#clock = clock
    this.#pingMs = limits.pingMs
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false, // its memory belongs to nobody's limit
      maxPayload: limits.messageBytesMax,
      handleProtocols: (_offered, request) => chosen.get(request) ?? false,
    })
    this.#server.on('headers', (lines, request) => lines.push(...(extras.get(request) ?? [])))
  }

  /** Completes the handshake; `opened` is called before any message. `headers`: name, value, … */
  accept(
    { socket, rest }: Upgrade,
    { key, protocols }: Handshake,
    protocol: string | undefined,
    headers: readonly string[],
    opened: (webSocket: WebSocket) => void,
  ): void {
    // What `ws` reads of a request, and no more.
    const request = {
      method: 'GET',
      url: '/',
      headers: {
        upgrade: 'websocket',
        'sec-websocket-key': key,
        'sec-websocket-version': '13',
        ...(protocols.length > 0 && { 'sec-websocket-protocol': protocols.join(',') }),
      },
    } as unknown as HandshakeRequest
    if (protocol !== undefined) chosen.set(request, protocol)
    extras.set(
      request,
      headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1]}`] : [])),
    )
    this.#server.handleUpgrade(request, socket, rest, opened)
    this.#cancelPing ??= this.#clock.after(this.#pingMs, this.#ping)
  }

  /** Tells every client that the server goes away, and waits for them, at most `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    for (const call of this.calls) call.goAway()
    const until = this.#clock.monotonic() + graceMs
    while (this.calls.size > 0 && this.#clock.monotonic() < until)
      await new Promise<void>(resolve => this.#clock.after(DRAIN_POLL_MS, resolve))
    this.close()
  }

  close(): void {
    this.#cancelPing?.()
    this.#cancelPing = undefined
    for (const call of this.calls) call.destroy()
  }

  readonly #ping = (): void => {
    for (const call of this.calls) call.ping()
    this.#cancelPing = this.calls.size > 0 ? this.#clock.after(this.#pingMs, this.#ping) : undefined
  }
}

type HandshakeRequest = Parameters<WebSocketServer['handleUpgrade']>[0]

const chosen = new WeakMap<object, string>()
const extras = new WeakMap<object, readonly string[]>()

const DRAIN_POLL_MS = 20
const KEY = /^[+/0-9A-Za-z]{22}==$/
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
