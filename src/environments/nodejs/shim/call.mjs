// One call: what has come of the request, what may still be sent, and how it ends.
import {
  CANCEL,
  DATA,
  DATA_BYTES_MAX,
  END,
  FAIL,
  MESSAGE,
  MESSAGE_COST_BYTES,
  TEXT,
  WINDOW,
  WINDOW_BYTES,
} from './wire.mjs'

const WINDOW_STEP_BYTES = WINDOW_BYTES / 2
const NOTHING = Buffer.alloc(0)

/** What a cancelled call's code meets when it goes on reading or writing. */
export class Cancelled extends Error {
  name = 'AbortError'
  constructor(reason) {
    super(`The call was cancelled: ${reason}.`)
    this.reason = reason
  }
}

export class Call {
  #wire
  #onEnd
  #head // text; read as far as somebody asks
  #idAt
  #headersAt
  #parts = [] // of the request's body, not yet read
  #complete
  #reader // told that something came
  #consumed = 0
  #credit = WINDOW_BYTES
  #waiter // the code that waits for credit
  #cancelled
  #abort
  #answered = false
  #over = false
  /** Set while a WebSocket is open. */
  socket

  constructor(wire, number, flags, bytes, start, end, onEnd) {
    this.#wire = wire
    this.#onEnd = onEnd
    this.number = number
    const headEnd = start + 4 + bytes.readUInt32BE(start)
    this.#head = bytes.utf8Slice(start + 4, headEnd)
    this.#idAt = this.#head.indexOf('\n') + 1
    if (headEnd < end) this.#parts.push(Buffer.from(bytes.subarray(headEnd, end)))
    this.#complete = (flags & END) !== 0
  }

  get method() {
    return this.#head.slice(0, this.#head.indexOf(' '))
  }

  get target() {
    return this.#head.slice(this.#head.indexOf(' ') + 1, this.#idAt - 1)
  }

  get id() {
    return this.#head.slice(this.#idAt, this.#head.indexOf('\n', this.#idAt))
  }

  /** Epoch milliseconds. */
  get deadline() {
    const from = this.#head.indexOf('\n', this.#idAt) + 1
    const end = this.#head.indexOf('\n', from)
    return Number(end === -1 ? this.#head.slice(from) : this.#head.slice(from, end))
  }

  /** The head's text and where its header lines begin; 0 when there are none. */
  get headerLines() {
    if (this.#headersAt === undefined) {
      const deadline = this.#head.indexOf('\n', this.#idAt) + 1
      this.#headersAt = this.#head.indexOf('\n', deadline) + 1
    }
    return { text: this.#head, from: this.#headersAt }
  }

  get cancelled() {
    return this.#cancelled !== undefined
  }

  get answered() {
    return this.#answered
  }

  get over() {
    return this.#over
  }

  get signal() {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#cancelled !== undefined) this.#abort.abort(this.#cancelled)
    }
    return this.#abort.signal
  }

  // The request's body

  /** Whether the whole body is here already. */
  get bodyComplete() {
    return this.#complete
  }

  get bodyEmpty() {
    return this.#complete && this.#parts.length === 0
  }

  /** The whole body when it is here in one piece; `undefined` when it has to be waited for or put together. */
  takeAll() {
    return this.#complete && this.#parts.length <= 1 ? (this.#parts.pop() ?? NOTHING) : undefined
  }

  /** The whole body, once it is here. */
  async readAll() {
    const whole = this.takeAll()
    if (whole !== undefined) return whole
    const all = []
    for (let part = await this.readPart(); part !== undefined; part = await this.readPart()) all.push(part)
    return Buffer.concat(all)
  }

  /** The next piece of the body; `undefined` after the last. */
  async readPart() {
    while (this.#parts.length === 0) {
      if (this.#cancelled !== undefined) throw this.#cancelled
      if (this.#complete) return undefined
      const { promise, resolve } = Promise.withResolvers()
      this.#reader = resolve
      await promise
    }
    const part = this.#parts.shift()
    this.consumed(part.length)
    return part
  }

  /** Lets the platform send as much again as has been read. */
  consumed(bytes) {
    if (this.#complete || this.#over) return
    this.#consumed += bytes
    if (this.#consumed < WINDOW_STEP_BYTES) return
    this.#wire.window(this.number, this.#consumed)
    this.#wire.flushSoon()
    this.#consumed = 0
  }

  // The answer

  /** The whole answer, when its body is short: one frame. */
  answerText(head, body) {
    if (!this.#begin()) return
    this.#wire.resultText(END, this.number, head, body)
    this.#finish()
  }

  /** The whole answer, when its body fits the window. */
  answerBytes(head, body) {
    if (!this.#begin()) return
    this.#wire.result(END, this.number, head, body)
    this.#finish()
  }

  /** The head; the body follows through `write` and `end`. */
  answerHead(head) {
    if (!this.#begin()) return
    this.#wire.result(0, this.number, head)
    this.#wire.flush()
  }

  /** Sends a piece of the body as far as the window allows, and resolves when all of it is on its way. */
  async write(bytes) {
    for (let at = 0; at < bytes.length; ) {
      await this.#creditAbove(0)
      const piece = bytes.subarray(at, at + Math.min(DATA_BYTES_MAX, this.#credit))
      this.#credit -= piece.length
      this.#wire.frame(DATA, 0, this.number, piece)
      this.#wire.flushSoon()
      at += piece.length
    }
  }

  /** Sends a WebSocket message, which may take the window below zero. */
  async writeMessage(bytes, text) {
    await this.#creditAbove(0)
    this.#credit -= bytes.length + MESSAGE_COST_BYTES
    this.#wire.frame(MESSAGE, text ? TEXT : 0, this.number, bytes)
    this.#wire.flushSoon()
  }

  /** Ends the answer; for a WebSocket with the payload of its close frame. */
  end(close = NOTHING) {
    if (this.#over) return
    if (this.#cancelled === undefined) this.#wire.frame(DATA, END, this.number, close)
    else this.#wire.frame(FAIL, 0, this.number)
    this.#finish()
  }

  /** The code has failed. */
  fail(error) {
    if (this.#over) return
    if (this.#cancelled === undefined) this.#wire.text(FAIL, 0, this.number, failureText(error))
    else this.#wire.frame(FAIL, 0, this.number)
    this.#finish()
  }

  /** A frame of this call. */
  receive(type, flags, bytes, start, end) {
    if (type === DATA) {
      if (this.socket !== undefined) {
        this.socket.closedByPeer(Buffer.from(bytes.subarray(start, end)))
        return
      }
      if (end > start) this.#parts.push(Buffer.from(bytes.subarray(start, end)))
      if ((flags & END) !== 0) this.#complete = true
      this.#wakeReader()
    } else if (type === WINDOW) {
      this.#credit += bytes.readUInt32BE(start)
      this.#wakeWriter()
    } else if (type === MESSAGE) {
      this.socket?.receive(Buffer.from(bytes.subarray(start, end)), (flags & TEXT) !== 0)
    } else if (type === CANCEL) {
      this.#cancelled = new Cancelled(bytes.utf8Slice(start, end))
      this.#abort?.abort(this.#cancelled)
      this.#wakeReader()
      this.#wakeWriter()
      this.socket?.cancelled()
    }
  }

  /** Whether an answer may begin; a cancelled call ends here instead. */
  #begin() {
    if (this.#over) return false
    this.#answered = true
    if (this.#cancelled === undefined) return true
    this.fail(this.#cancelled)
    return false
  }

  async #creditAbove(least) {
    while (this.#credit <= least) {
      if (this.#cancelled !== undefined) throw this.#cancelled
      this.#waiter ??= Promise.withResolvers()
      await this.#waiter.promise
    }
    if (this.#cancelled !== undefined) throw this.#cancelled
  }

  #wakeReader() {
    this.#reader?.()
    this.#reader = undefined
  }

  #wakeWriter() {
    this.#waiter?.resolve()
    this.#waiter = undefined
  }

  #finish() {
    this.#over = true
    this.#onEnd(this)
  }
}

/** The payload of FAIL and LOAD_FAILED for anything that can be thrown. */
export function failureText(error) {
  try {
    const isError = error instanceof Error || typeof error?.stack === 'string'
    const message = String((isError ? error.message || error.name : error) ?? 'The function threw nothing.')
    const stack = isError ? withCauses(error) : undefined
    return JSON.stringify({ message: message.slice(0, 4_000), stack: stack?.slice(0, 32_000) })
  } catch {
    return JSON.stringify({ message: 'The function threw something that cannot be shown.' })
  }
}

function withCauses(error) {
  let text = String(error.stack)
  let cause = error.cause
  for (let depth = 0; cause !== undefined && cause !== null && depth < 5; depth++, cause = cause?.cause) {
    text += `\nCaused by: ${cause?.stack ?? cause}`
  }
  return text
}
