import type { WebSocket } from 'ws'
import { AtelierError, asAtelierError, closeOf, closePayload, newId } from '../core/index.ts'
import type { InvokeHandle, InvokeSink } from '../invoker/index.ts'
import { authorise, locate, outgoing, type Reading, read } from './admit.ts'
import { readAnswer } from './answer.ts'
import { originMayConnect } from './cors.ts'
import type { Upgrade } from './front.ts'
import { type Handshake, readHandshake, type SocketHost } from './handshake.ts'
import { logPlatformFault, type Plane } from './plane.ts'
import { INVOCATION_FIELD, problemOf } from './problem.ts'
import { badAnswer } from './reply.ts'
import type { Resolved } from './resolve.ts'
import { endWith } from './wire.ts'

/**
 * One WebSocket on its way to a function. The function is asked first; until it accepts, everything is an HTTP answer.
 * Then messages go both ways, each waiting for the other side's room.
 */
export class SocketCall implements InvokeSink {
  readonly #plane: Plane
  readonly #host: SocketHost
  readonly #upgrade: Upgrade
  #handshake: Handshake | undefined
  #handle: InvokeHandle | undefined
  #ownsHost = false
  #socket: WebSocket | undefined
  /** A plain HTTP answer of a function that refuses; small, since nobody streams a refusal. */
  #refusal: { status: number; headers: string[]; parts: Uint8Array[]; bytes: number } | undefined
  #isOver = false
  #isAlive = true

  constructor(plane: Plane, host: SocketHost, upgrade: Upgrade) {
    this.#plane = plane
    this.#host = host
    this.#upgrade = upgrade
  }

  start(): void {
    const { counters } = this.#plane
    counters.requests++
    counters.webSockets++
    counters.webSocketsOpen++
    this.#host.calls.add(this)
    const { socket } = this.#upgrade
    // A client that resets is not news; 'close' follows.
    socket.on('error', ignore)
    socket.on('close', this.#clientGone)
    try {
      const reading = read(this.#upgrade)
      this.#handshake = readHandshake(this.#upgrade)
      const resolved = locate(this.#plane, reading)
      this.#ownsHost = resolved.ownsHost
      if (!originMayConnect(resolved.trigger?.cors, reading.fields.origin))
        throw new AtelierError(
          'FORBIDDEN',
          `Pages of ${reading.fields.origin} may not open a WebSocket here.`,
        )
      const waiting = authorise(this.#plane, resolved, reading)
      if (waiting)
        waiting.then(
          () => this.#invoke(resolved, reading),
          error => this.onFail(asAtelierError(error)),
        )
      else this.#invoke(resolved, reading)
    } catch (error) {
      this.onFail(asAtelierError(error))
    }
  }

  /** Asks the client to leave: the server is going away. */
  goAway(): void {
    if (this.#socket) this.#socket.close(1001, 'the server is going away')
    else
      this.onFail(new AtelierError('UNAVAILABLE', 'The server is going away; try again.', { retryAfterS: 1 }))
  }

  /** Ends it now. */
  destroy(): void {
    this.#upgrade.socket.destroy()
  }

  /** Called at intervals: a client that has not answered the last ping is gone. */
  ping(): void {
    if (!this.#socket) return
    if (!this.#isAlive) {
      this.#socket.terminate()
      return
    }
    this.#isAlive = false
    this.#socket.ping()
  }

  #invoke(resolved: Resolved, reading: Reading): void {
    if (this.#isOver) return
    this.#handle = this.#plane.invoker.invoke(outgoing(this.#plane, resolved, reading, undefined, true), this)
    if (this.#isOver) this.#handle.cancel()
  }

  onHead(status: number, headers: readonly string[]): void {
    if (this.#isOver) return
    if (status === 101) {
      // During `invoke` there is no handle to speak through yet.
      if (this.#handle) this.#accept(headers)
      else queueMicrotask(() => this.#isOver || this.#accept(headers))
      return
    }
    const answer = readAnswer(status, headers, false, this.#ownsHost)
    if (typeof answer === 'string') this.#giveUp(badAnswer(answer))
    else this.#refusal = { status, headers: answer.headers, parts: [], bytes: 0 }
  }

  onData(chunk: Uint8Array): void {
    this.#handle?.consumed(chunk.length)
    const refusal = this.#refusal
    if (this.#isOver || !refusal) return
    refusal.bytes += chunk.length
    if (refusal.bytes > REFUSAL_BYTES_MAX)
      this.#giveUp(badAnswer('it refuses the WebSocket with too large a body'))
    else refusal.parts.push(chunk)
  }

  onMessage(data: Uint8Array, text: boolean): void {
    const handle = this.#handle
    if (!this.#socket || this.#isOver) {
      handle?.consumed(data.length)
      return
    }
    this.#socket.send(data, { binary: !text }, () => handle?.consumed(data.length))
  }

  onDrain(): void {
    this.#socket?.resume()
  }

  onEnd(close?: Uint8Array): void {
    if (this.#isOver) return
    if (this.#socket) {
      const { code, reason } = closeOf(close)
      this.#socket.close(code, reason)
      this.#over()
      return
    }
    // It was accepted in the moment in which its client left: nobody is there to be told of its end.
    if (!this.#refusal) return this.#clientGone()
    const { status, headers, parts } = this.#refusal
    headers.push(INVOCATION_FIELD, this.#handle?.id ?? newId(this.#plane.clock.now()))
    this.#answer(status, headers, Buffer.concat(parts))
  }

  onFail(error: AtelierError): void {
    if (this.#isOver) return
    const id = this.#handle?.id ?? newId(this.#plane.clock.now())
    logPlatformFault(this.#plane.log, error, id)
    if (this.#socket) {
      this.#socket.close(1011, error.title)
      this.#over()
      return
    }
    const { status, headers, body } = problemOf(error, id)
    this.#answer(status, headers, body)
  }

  #answer(status: number, headers: readonly string[], body: Uint8Array): void {
    this.#over()
    this.#plane.counters.answers[Math.floor(status / 100)]!++
    const { socket } = this.#upgrade
    endWith(socket, status, headers, body)
    const cancel = this.#plane.clock.after(this.#plane.limits.lingerMs, () => socket.destroy())
    socket.on('close', cancel)
    socket.resume()
  }

  #accept(headers: readonly string[]): void {
    const handle = this.#handle!
    const protocolAt = headers.findIndex(
      (name, i) => i % 2 === 0 && name.toLowerCase() === 'sec-websocket-protocol',
    )
    const protocol = protocolAt < 0 ? undefined : headers[protocolAt + 1]
    if (protocol !== undefined && !this.#handshake!.protocols.includes(protocol)) {
      this.#giveUp(badAnswer('it chose a sub-protocol that the client does not offer'))
      return
    }
    const extra = ['atelier-invocation-id', handle.id]
    this.#plane.counters.answers[1]!++
    this.#host.accept(this.#upgrade, this.#handshake!, protocol, extra, socket =>
      this.#opened(socket, handle),
    )
  }

  #opened(socket: WebSocket, handle: InvokeHandle): void {
    this.#socket = socket
    socket.on('error', ignore) // a broken or oversized message: `ws` answers with its close code, then says 'close'
    socket.on('pong', () => (this.#isAlive = true))
    socket.on('message', (data: Buffer, isBinary) => {
      if (!this.#isOver && !handle.writeMessage(data, !isBinary)) socket.pause()
    })
    socket.on('close', (code, reason) => {
      if (this.#isOver) return
      this.#over()
      // 1006: the connection broke without a word.
      if (code === 1006) {
        this.#plane.counters.aborted++
        handle.cancel()
      } else handle.end(closePayload(code, reason))
    })
  }

  #giveUp(error: AtelierError): void {
    this.onFail(error)
    this.#handle?.cancel()
  }

  readonly #clientGone = (): void => {
    this.#host.calls.delete(this)
    if (this.#isOver || this.#socket) return
    this.#plane.counters.aborted++
    this.#over()
    this.#handle?.cancel()
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#plane.counters.webSocketsOpen--
  }
}

const REFUSAL_BYTES_MAX = 65_536

function ignore(): void {}
