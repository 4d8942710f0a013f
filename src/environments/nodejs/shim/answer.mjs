// What a handler returned, sent as the answer to its call.

import { LightHeaders } from './headers.mjs'
import { native } from './native.mjs'
import { LightResponse } from './response.mjs'
import { WINDOW_BYTES } from './wire.mjs'

const TEXT_CHARACTERS_MAX = 8 * 1024 // longer texts are encoded apart
const NULL_BODY_STATUSES = new Set([204, 205, 304])

/** What a convention returns to send its answer by itself. */
export class Custom {
  #send

  constructor(send) {
    this.#send = send
  }

  sendTo(answer) {
    return this.#send(answer)
  }
}

/** The status, or a RangeError that names it. */
export function checkStatus(status) {
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status
  throw new RangeError(`The status ${status} is not a whole number from 200 to 599.`)
}

export class Answer {
  #call
  #context
  #output

  constructor(call, context, output) {
    this.#call = call
    this.#context = context
    this.#output = output
  }

  /** Sends a handler's result; every failure on the way ends the call with it. */
  send(value) {
    try {
      const sent = this.#start(value)
      if (sent !== undefined) sent.catch(error => this.fail(error))
    } catch (error) {
      this.fail(error)
    }
  }

  fail(error) {
    this.#output.endOfCall(this.#call)
    this.#call.fail(error)
  }

  /** Sends status, header lines (each with a line break before it) and a body. */
  sendParts(status, lines, body) {
    checkStatus(status)
    return this.#body(status + lines, NULL_BODY_STATUSES.has(status) ? null : body)
  }

  /** Ends an answer that was written to the call. */
  async end() {
    await this.#context.waited()
    this.#output.endOfCall(this.#call)
    this.#call.end()
  }

  #start(value) {
    if (LightResponse.is(value)) {
      if (value.upgrade !== undefined) return value.upgrade.open(this.#call)
      return this.#body(value.toHead(), value.toBody())
    }
    if (value instanceof Custom) return value.sendTo(this)
    if (native.isResponse(value)) {
      if (value.bodyUsed) throw new TypeError('The body of this Response has been read already.')
      return this.#body(value.status + linesOf(value), value.body)
    }
    if (typeof value === 'string') return this.#body('200\ncontent-type: text/plain;charset=UTF-8', value)
    if (value === undefined || value === null) return this.#body('204', null)
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
      return this.#body('200\ncontent-type: application/octet-stream', value)
    }
    if (isStream(value)) return this.#body('200\ncontent-type: application/octet-stream', value)
    const text = JSON.stringify(value)
    if (text === undefined) throw new TypeError(`A handler cannot answer with a ${typeof value}.`)
    return this.#body('200\ncontent-type: application/json', text)
  }

  #body(head, body) {
    const call = this.#call
    this.#output.endOfCall(call)
    if (this.#context.waiting !== undefined) return this.#bodyThenWait(head, body)
    if (typeof body === 'string' && body.length <= TEXT_CHARACTERS_MAX) {
      call.answerText(head, body)
      return
    }
    const bytes = bytesOf(body)
    if (bytes === undefined) return this.#chunks(head, streamOf(body))
    if (bytes.length <= WINDOW_BYTES) call.answerBytes(head, bytes)
    else return this.#chunks(`${head}${lengthLine(head, bytes.length)}`, [bytes])
  }

  /** The caller has the whole answer at once; the call ends when the work that was promised to continue is done. */
  async #bodyThenWait(head, body) {
    const bytes = bytesOf(body)
    if (bytes === undefined) await this.#chunks(head, streamOf(body), false)
    else await this.#chunks(`${head}${lengthLine(head, bytes.length)}`, [bytes], false)
    await this.end()
  }

  async #chunks(head, chunks, last = true) {
    const call = this.#call
    call.answerHead(head)
    if (call.over) {
      await chunks.cancel?.()
      return
    }
    if (call.method === 'HEAD') await chunks.cancel?.()
    else for await (const chunk of chunks) await call.write(bytesOf(chunk) ?? unfit(chunk))
    if (last) await this.end()
  }
}

function unfit(chunk) {
  throw new TypeError(`A body is made of text or bytes, and this stream gave a ${typeof chunk}.`)
}

/** Bytes of what is no stream; `undefined` for the rest. */
function bytesOf(body) {
  if (body === null) return Buffer.alloc(0)
  if (typeof body === 'string') return Buffer.from(body)
  if (body instanceof Uint8Array) return body
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength)
  if (body instanceof ArrayBuffer) return new Uint8Array(body)
  if (body instanceof URLSearchParams) return Buffer.from(String(body))
  return undefined
}

function isStream(value) {
  return typeof value === 'object' && typeof value[Symbol.asyncIterator] === 'function'
}

/** Anything else that a Response can be made of, as something to iterate. */
function streamOf(body) {
  if (isStream(body)) return body
  if (body instanceof Blob) return body.stream()
  return new native.Response(body).body
}

function linesOf(response) {
  let lines = ''
  for (const [name, value] of response.headers) lines += `\n${name}: ${value}`
  return lines
}

function lengthLine(head, length) {
  return /^content-length:/m.test(head) || /^(204|205|304)/.test(head) ? '' : `\ncontent-length: ${length}`
}

/** Header lines of an object or pairs, each with a line break before it; a TypeError names what is not fit. */
export function headerLines(headers) {
  return new LightHeaders(headers).toLines()
}
