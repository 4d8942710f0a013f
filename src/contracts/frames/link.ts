import type { Duplex } from 'node:stream'
import { AtelierError, type Clock } from '../../core/index.ts'
import { CallTable } from '../call-table.ts'
import type { CallHandle, CallHead, CallSink, Link, LinkEvents, LinkFailure, LoadSpec } from '../contract.ts'
import { type CallPort, FramesCall } from './call.ts'
import { FLAG_END, FrameReader, FrameType, type FrameVisitor, FrameWriter } from './codec.ts'
import { callHeadText, ResultHeads } from './heads.ts'
import { readFailure, readHello, readInitUs } from './payloads.ts'
import { Toll } from './toll.ts'

/** Where the code lies inside every sandbox. */
const CODE_DIRECTORY = '/function'
const PING_BYTES = 8

/**
 * The platform's end of one instance's stream. Frames of one turn of the event loop go out in one write; a call that
 * is alone on its link is not kept waiting for the turn's end.
 */
export class FramesLink implements Link, CallPort, FrameVisitor {
  readonly ready: Promise<void>
  readonly heads = new ResultHeads()
  readonly #channel: Duplex
  readonly #events: LinkEvents
  readonly #clock: Clock
  readonly #reader = new FrameReader()
  readonly #writer = new FrameWriter()
  readonly #toll: Toll
  #isPausing = false
  readonly #calls = new CallTable<FramesCall>() // at most the function's concurrency: the pool counts
  readonly #hello = Promise.withResolvers<void>()
  #helloSeen = false
  #loading: PromiseWithResolvers<{ initMs: number }> | undefined
  #pinging: { readonly promise: Promise<boolean>; readonly settle: (answered: boolean) => void } | undefined
  #pings = 0
  #flushPending = false
  #closed: LinkFailure | undefined
  readonly #flush = () => this.#flushNow()

  constructor(channel: Duplex, events: LinkEvents, clock: Clock) {
    this.#channel = channel
    this.#events = events
    this.#clock = clock
    this.#toll = new Toll(clock)
    this.ready = this.#hello.promise
    this.ready.catch(() => {}) // who waits hears of it; a link nobody waits for must not end the process
    channel.on('data', (chunk: Buffer) => {
      const problem = this.#reader.push(chunk, this)
      if (problem !== undefined) this.#violate(problem)
    })
    const gone = () => this.#close({ kind: 'closed', detail: 'The instance ended its stream.' })
    channel.on('end', gone)
    channel.on('close', gone)
    channel.on('error', gone)
  }

  load(spec: LoadSpec): Promise<{ initMs: number }> {
    const loading = Promise.withResolvers<{ initMs: number }>()
    if (this.#closed) loading.reject(closedBeforeLoaded(this.#closed))
    else {
      this.#loading = loading
      this.#writer.frameWithText(FrameType.load, 0, 0, JSON.stringify({ directory: CODE_DIRECTORY, ...spec }))
      this.#flushNow()
    }
    return loading.promise
  }

  invoke(head: CallHead, sink: CallSink): CallHandle {
    const text = callHeadText(head)
    const number = this.#calls.nextNumber()
    const call = new FramesCall(this, number, head, sink)
    const closed = this.#closed
    if (closed) {
      queueMicrotask(() => call.fail({ kind: closed.kind, message: closed.detail }))
      return call
    }
    this.#calls.add(call)
    const { body } = head
    if (body === undefined || head.webSocket) this.#writer.frameWithHead(FrameType.call, 0, number, text)
    else if (body === null) this.#writer.frameWithHead(FrameType.call, FLAG_END, number, text)
    else {
      const piece = call.firstPiece(body)
      const whole = piece.length === body.length
      this.#writer.frameWithHead(FrameType.call, whole ? FLAG_END : 0, number, text, piece)
      if (!whole) call.sendRest(body.subarray(piece.length))
    }
    if (this.#calls.size === 1) this.#flushNow()
    else this.#flushSoon()
    return call
  }

  drain(): void {
    this.send(FrameType.drain, 0, 0)
  }

  destroy(): void {
    this.#close({ kind: 'closed', detail: 'The platform ended the stream to the instance.' })
  }

  ping(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(false)
    if (this.#pinging) return this.#pinging.promise
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const settle = (answered: boolean) => {
      cancelTimer()
      this.#pinging = undefined
      resolve(answered)
    }
    const cancelTimer = this.#clock.after(timeoutMs, () => settle(false))
    this.#pinging = { promise, settle }
    const payload = Buffer.alloc(PING_BYTES)
    payload.writeUInt32BE(++this.#pings, 0)
    this.send(FrameType.ping, 0, 0, payload)
    return promise
  }

  send(type: number, flags: number, call: number, payload?: Uint8Array): void {
    if (this.#closed) return
    this.#writer.frame(type, flags, call, payload)
    this.#flushSoon()
  }

  sendWindow(call: number, bytes: number): void {
    if (this.#closed) return
    this.#writer.window(call, bytes)
    this.#flushSoon()
  }

  forget(call: number): void {
    this.#calls.delete(call)
  }

  onFrame(type: number, flags: number, number: number, payload: Buffer): boolean {
    const call = number === 0 || type === FrameType.log ? undefined : this.#calls.get(number)
    if (!call || !isBounded(type, payload)) this.#charge(payload.length)
    if (!this.#helloSeen) this.#onHello(type, payload)
    else if (type === FrameType.log) this.#onLog(number, payload)
    else if (number === 0) this.#onInstanceFrame(type, payload)
    else if (call) this.#onCallFrame(call, type, flags, payload)
    return this.#closed === undefined
  }

  #charge(payloadBytes: number): void {
    const pauseMs = this.#toll.charge(payloadBytes)
    if (pauseMs === 0 || this.#isPausing) return
    this.#isPausing = true
    this.#channel.pause()
    this.#clock.after(pauseMs, () => {
      this.#isPausing = false
      this.#channel.resume()
    })
  }

  #onCallFrame(call: FramesCall, type: number, flags: number, payload: Buffer): void {
    if (type === FrameType.fail) {
      const { message, stack } = readFailure(payload)
      if (stack !== undefined) this.#events.onLog(call.number, 'stderr', `${stack}\n`)
      call.fail({ kind: 'error', message, ...(stack === undefined ? {} : { stack }) })
      return
    }
    const problem = call.receive(type, flags, payload)
    if (problem === undefined) return
    call.fail({ kind: 'violation', message: `The function sent ${problem}.` })
    this.#violate(problem)
  }

  #onHello(type: number, payload: Buffer): void {
    const problem = type === FrameType.hello ? readHello(payload) : 'something else before HELLO'
    if (problem !== undefined) {
      this.#violate(problem)
      return
    }
    this.#helloSeen = true
    this.#hello.resolve()
  }

  #onInstanceFrame(type: number, payload: Buffer): void {
    if (type === FrameType.pong) {
      if (payload.length === PING_BYTES && payload.readUInt32BE(0) === this.#pings)
        this.#pinging?.settle(true)
      return
    }
    const loading = this.#loading
    if (loading === undefined) return
    if (type === FrameType.loaded) {
      const initUs = readInitUs(payload)
      if (initUs === undefined) {
        this.#violate('a LOADED that cannot be read')
        return
      }
      loading.resolve({ initMs: initUs / 1000 })
    } else if (type === FrameType.loadFailed) {
      const { message, stack } = readFailure(payload)
      if (stack !== undefined) this.#events.onLog(0, 'stderr', `${stack}\n`)
      loading.reject(new AtelierError('FUNCTION_LOAD_FAILED', message, { cause: stack }))
    } else return
    this.#loading = undefined
  }

  #onLog(call: number, payload: Buffer): void {
    const stream = payload[0] === 1 ? 'stdout' : payload[0] === 2 ? 'stderr' : undefined
    if (stream === undefined) this.#violate('a LOG of neither stdout nor stderr')
    else this.#events.onLog(call, stream, payload.toString('utf8', 1))
  }

  #flushSoon(): void {
    if (this.#flushPending) return
    this.#flushPending = true
    setImmediate(this.#flush)
  }

  #flushNow(): void {
    this.#flushPending = false
    if (this.#closed) return
    const parts = this.#writer.take()
    if (parts.length === 1) this.#channel.write(parts[0])
    else if (parts.length > 1) {
      this.#channel.cork()
      for (const part of parts) this.#channel.write(part)
      this.#channel.uncork()
    }
  }

  #violate(detail: string): void {
    this.#close({ kind: 'violation', detail: `The instance broke the frames contract: it sent ${detail}.` })
  }

  #close(failure: LinkFailure): void {
    if (this.#closed) return
    this.#closed = failure
    this.#channel.destroy()
    const error = new AtelierError('BACKEND_FAILED', `The instance said no HELLO. ${failure.detail}`)
    this.#hello.reject(error)
    this.#loading?.reject(closedBeforeLoaded(failure))
    this.#pinging?.settle(false)
    for (const call of this.#calls.all()) call.fail({ kind: 'closed', message: failure.detail })
    this.#events.onClose(failure)
  }
}

/** Whether a call bounds how many of these there can be: by its window, or because it ends. */
function isBounded(type: number, payload: Buffer): boolean {
  if (type === FrameType.data) return payload.length > 0
  return type === FrameType.message || type === FrameType.result || type === FrameType.fail
}

function closedBeforeLoaded(failure: LinkFailure): AtelierError {
  return new AtelierError(
    'FUNCTION_LOAD_FAILED',
    `The instance ended while it loaded the code. ${failure.detail}`,
  )
}
