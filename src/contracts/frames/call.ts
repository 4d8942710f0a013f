import { AtelierError } from '../../core/index.ts'
import type { CallFailure, CallHandle, CallHead, CallSink } from '../contract.ts'
import {
  DATA_BYTES_MAX,
  FLAG_END,
  FLAG_TEXT,
  FrameType,
  MESSAGE_COST_BYTES,
  PAYLOAD_BYTES_MAX,
  WINDOW_BYTES,
} from './codec.ts'
import { Crumbs } from './crumbs.ts'
import type { ResultHead, ResultHeads } from './heads.ts'

/** What a call needs of its link. */
export interface CallPort {
  readonly heads: ResultHeads
  send(type: number, flags: number, call: number, payload?: Uint8Array): void
  sendWindow(call: number, bytes: number): void
  /** The call is over: its number means nothing any more. */
  forget(call: number): void
}

interface Outgoing {
  readonly type: number
  readonly flags: number
  readonly payload: Uint8Array
}

const NOTHING = new Uint8Array(0)
const WINDOW_STEP_BYTES = WINDOW_BYTES / 2
const UNREAD_BYTES_MAX = 4 * 1024 // with more than this unread, the sink is behind
const CRUMB_BYTES_MAX = 4 * 1024

/** One call as the platform's side sees it: credit both ways, what waits for credit, and what has been said. */
export class FramesCall implements CallHandle {
  readonly number: number
  readonly #port: CallPort
  readonly #sink: CallSink
  readonly #webSocket: boolean
  /** No body follows the head on the caller's side: HEAD, and later 204 and 304. What comes is dropped. */
  #bodiless: boolean
  #sendCredit = WINDOW_BYTES
  #receiveCredit = WINDOW_BYTES
  #consumed = 0
  /** What the sink was given and has not passed on. */
  #unread = 0
  /** Made when a piece must wait. */
  #crumbs: Crumbs | undefined
  #waiting: Outgoing[] = []
  #refused = false
  #requestEnded: boolean
  #headSeen = false
  #upgraded = false
  #cancelled = false
  #over = false
  /** Bytes of the answer that its content-length still promises. */
  #promised: number | undefined

  constructor(port: CallPort, number: number, head: CallHead, sink: CallSink) {
    this.#port = port
    this.number = number
    this.#sink = sink
    this.#webSocket = head.webSocket === true
    this.#bodiless = head.method === 'HEAD'
    this.#requestEnded = head.body !== undefined && !this.#webSocket
  }

  /** The part of a complete body that goes with the head; the rest is queued behind it. */
  firstPiece(body: Uint8Array): Uint8Array {
    const piece = body.length <= WINDOW_BYTES ? body : body.subarray(0, DATA_BYTES_MAX)
    this.#sendCredit -= piece.length
    return piece
  }

  /** Queues what `firstPiece` left; called once the head is on its way. */
  sendRest(rest: Uint8Array): void {
    this.#queueBody(rest, true)
  }

  write(chunk: Uint8Array): boolean {
    if (this.#requestEnded || this.#over || this.#cancelled) return true
    this.#queueBody(chunk, false)
    return this.#roomLeft()
  }

  writeMessage(data: Uint8Array, text: boolean): boolean {
    if (data.length > PAYLOAD_BYTES_MAX) {
      throw new AtelierError('BODY_TOO_LARGE', `A WebSocket message may hold ${PAYLOAD_BYTES_MAX} bytes.`)
    }
    if (this.#requestEnded || this.#over || this.#cancelled) return true
    this.#queue({ type: FrameType.message, flags: text ? FLAG_TEXT : 0, payload: data })
    return this.#roomLeft()
  }

  end(close: Uint8Array = NOTHING): void {
    if (this.#requestEnded || this.#over || this.#cancelled) return
    this.#requestEnded = true
    this.#queue({ type: FrameType.data, flags: FLAG_END, payload: close })
  }

  consumed(bytes: number): void {
    if (this.#over || this.#cancelled) return
    this.#unread -= bytes
    this.#giveBack(bytes + (this.#upgraded ? MESSAGE_COST_BYTES : 0))
    if (this.#crumbs && this.#unread < UNREAD_BYTES_MAX) this.#deliverCrumbs(this.#crumbs)
  }

  #giveBack(bytes: number): void {
    this.#consumed += bytes
    if (this.#consumed < WINDOW_STEP_BYTES) return
    this.#receiveCredit += this.#consumed
    this.#port.sendWindow(this.number, this.#consumed)
    this.#consumed = 0
  }

  cancel(reason: 'client' | 'deadline' | 'shutdown'): void {
    if (this.#over || this.#cancelled) return
    this.#cancelled = true
    this.#waiting = []
    this.#port.send(FrameType.cancel, 0, this.number, Buffer.from(reason))
  }

  /** A frame from the instance. The result says how it breaks the contract, if it does. */
  receive(type: number, flags: number, payload: Buffer): string | undefined {
    const end = (flags & FLAG_END) !== 0
    switch (type) {
      case FrameType.result:
        return this.#onResult(end, payload)
      case FrameType.data:
        if (this.#upgraded) return this.#onClose(end, payload)
        if (payload.length > DATA_BYTES_MAX) return `a piece of ${payload.length} bytes`
        return this.#onBody(end, payload)
      case FrameType.message:
        return this.#onMessage((flags & FLAG_TEXT) !== 0, payload)
      case FrameType.window:
        return this.#onWindow(payload)
    }
  }

  /** Ends the call for a reason that is not the code's answer. */
  fail(failure: CallFailure): void {
    if (this.#over) return
    this.#finish()
    this.#sink.onFail(failure)
  }

  #onResult(end: boolean, payload: Buffer): string | undefined {
    if (this.#headSeen) return 'two answers to one call'
    this.#headSeen = true
    const headBytes = payload.length < 4 ? Number.POSITIVE_INFINITY : payload.readUInt32BE(0)
    if (headBytes > payload.length - 4) return 'an answer shorter than its head'
    const head = this.#port.heads.read(payload.toString('utf8', 4, 4 + headBytes), this.#webSocket)
    if (typeof head === 'string') return head
    const body = payload.subarray(4 + headBytes)
    if (head.status === 101) {
      if (end || body.length > 0) return 'a WebSocket that is accepted and ended in one frame'
      this.#upgraded = true
      if (!this.#cancelled) this.#sink.onHead(101, head.headers)
      return
    }
    const headers = this.#withLength(head, end ? body.length : undefined)
    if (!this.#cancelled) this.#sink.onHead(head.status, headers)
    return this.#onBody(end, body)
  }

  /** The headers with the one `content-length` that holds, if one can be known. */
  #withLength(head: ResultHead, bodyBytes: number | undefined): readonly string[] {
    if (head.status === 204) {
      this.#bodiless = true
      return head.headers
    }
    if (head.status === 304) this.#bodiless = true
    // An answer to HEAD without a body has said nothing about the length of the one to GET.
    const known = head.contentLength ?? (this.#bodiless && bodyBytes === 0 ? undefined : bodyBytes)
    if (known === undefined) return head.headers
    if (!this.#bodiless) this.#promised = known
    return this.#port.heads.withLength(head, known)
  }

  #onBody(end: boolean, body: Buffer): string | undefined {
    if (!this.#headSeen) return 'a body before its head'
    if (body.length > this.#receiveCredit) return 'more bytes than the window allows'
    this.#receiveCredit -= body.length
    if (this.#promised !== undefined) {
      this.#promised -= body.length
      if (this.#promised < 0) return 'more bytes than its content-length'
      if (end && this.#promised > 0) return 'fewer bytes than its content-length'
    }
    if (this.#bodiless) {
      if (!this.#over && !this.#cancelled) this.#giveBack(body.length)
    } else if (body.length > 0 && !this.#cancelled) this.#pass(body)
    if (end && !this.#over) {
      if (this.#crumbs && !this.#cancelled) this.#deliverCrumbs(this.#crumbs)
      this.#finish()
      this.#sink.onEnd()
    }
  }

  /** A piece for the sink. While that is behind, small pieces wait to become larger ones. */
  #pass(body: Buffer): void {
    const bytes = this.#crumbs?.bytes ?? 0
    if (bytes === 0 && (this.#unread < UNREAD_BYTES_MAX || body.length >= CRUMB_BYTES_MAX))
      this.#deliver(body)
    else if (bytes + body.length <= Crumbs.bytesMax) (this.#crumbs ??= new Crumbs()).add(body)
    else {
      if (this.#crumbs) this.#deliverCrumbs(this.#crumbs)
      this.#deliver(body)
    }
  }

  #deliverCrumbs(crumbs: Crumbs): void {
    if (crumbs.bytes > 0) this.#deliver(crumbs.take())
  }

  #deliver(body: Buffer): void {
    this.#unread += body.length
    this.#sink.onData(body)
  }

  #onMessage(text: boolean, payload: Buffer): string | undefined {
    if (!this.#upgraded) return 'a message outside a WebSocket'
    if (this.#receiveCredit <= 0) return 'more bytes than the window allows'
    this.#receiveCredit -= payload.length + MESSAGE_COST_BYTES
    if (!this.#cancelled) this.#sink.onMessage?.(payload, text)
  }

  #onClose(end: boolean, payload: Buffer): string | undefined {
    if (!end || payload.length === 1 || payload.length > 125) return 'a malformed end of a WebSocket'
    this.#finish()
    this.#sink.onEnd(payload.length > 0 ? payload : undefined)
  }

  #onWindow(payload: Buffer): string | undefined {
    if (payload.length !== 4) return 'a malformed WINDOW'
    this.#sendCredit += payload.readUInt32BE(0)
    if (this.#sendCredit > WINDOW_BYTES) return 'a window larger than it may be'
    this.#sendWaiting()
    if (this.#refused && this.#waiting.length === 0 && this.#sendCredit > 0) {
      this.#refused = false
      this.#sink.onDrain?.()
    }
  }

  #queueBody(body: Uint8Array, last: boolean): void {
    for (let at = 0; at < body.length; at += DATA_BYTES_MAX) {
      const payload = body.subarray(at, at + DATA_BYTES_MAX)
      const flags = last && at + DATA_BYTES_MAX >= body.length ? FLAG_END : 0
      this.#queue({ type: FrameType.data, flags, payload })
    }
  }

  #queue(frame: Outgoing): void {
    this.#waiting.push(frame)
    if (this.#waiting.length === 1) this.#sendWaiting()
  }

  /** Sends as far as the credit goes. A message goes whole as soon as there is any; a close needs none. */
  #sendWaiting(): void {
    let sent = 0
    for (const frame of this.#waiting) {
      const closing = this.#webSocket && frame.type === FrameType.data
      const message = frame.type === FrameType.message
      const cost = closing ? 0 : frame.payload.length + (message ? MESSAGE_COST_BYTES : 0)
      if (cost > 0 && (message ? this.#sendCredit <= 0 : cost > this.#sendCredit)) break
      this.#sendCredit -= cost
      this.#port.send(frame.type, frame.flags, this.number, frame.payload)
      sent++
    }
    if (sent > 0) this.#waiting.splice(0, sent)
  }

  #roomLeft(): boolean {
    const room = this.#waiting.length === 0 && this.#sendCredit > 0
    if (!room) this.#refused = true
    return room
  }

  #finish(): void {
    this.#over = true
    this.#waiting = []
    this.#port.forget(this.number)
  }
}
