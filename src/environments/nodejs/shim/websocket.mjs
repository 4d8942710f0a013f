// The code's end of a WebSocket. The platform speaks the protocol; here are whole messages.
import { AsyncLocalStorage } from 'node:async_hooks'
import { LightResponse } from './response.mjs'
import { MESSAGE_COST_BYTES, PAYLOAD_BYTES_MAX } from './wire.mjs'

const CONNECTING = 0
const OPEN = 1
const CLOSING = 2
const CLOSED = 3

const NORMAL = 1000
const ABNORMAL = 1006
const INTERNAL_ERROR = 1011
const REASON_BYTES_MAX = 123

/** Accepts what `call` offers: the answer to return, and the socket it opens. */
export function acceptWebSocket(call, options = {}) {
  const { text, from } = call.headerLines
  if (from === 0 || !/^upgrade: websocket$/m.test(text.slice(from))) {
    throw new Error('This call offers no WebSocket: it has no "upgrade: websocket".')
  }
  const socket = new ServerSocket(call, String(options.protocol ?? ''))
  return { socket, response: new UpgradeResponse(socket) }
}

class UpgradeResponse extends LightResponse {
  constructor(socket) {
    super(null)
    this.upgrade = socket
  }

  get status() {
    return 101
  }
}

/** The standard WebSocket's face: `send`, `close`, and the events `open`, `message`, `close`, `error`. */
class ServerSocket {
  readyState = CONNECTING
  binaryType = 'arraybuffer'
  bufferedAmount = 0
  onopen = null
  onmessage = null
  onclose = null
  onerror = null
  #call
  #listeners = new Map()
  #sending = Promise.resolve()
  /** Events come from the wire; the code hears them within its call, for its logs. */
  #inCall = AsyncLocalStorage.snapshot()

  constructor(call, protocol) {
    this.#call = call
    this.protocol = protocol
  }

  /** Text, or bytes; at most 1 MiB. Sent in order, as fast as the other side reads. */
  send(data) {
    if (this.readyState === CONNECTING)
      throw new Error('The socket opens when its response has been returned.')
    const text = typeof data === 'string'
    const bytes = text
      ? Buffer.from(data)
      : ArrayBuffer.isView(data)
        ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
        : Buffer.from(data)
    if (bytes.length > PAYLOAD_BYTES_MAX)
      throw new RangeError(`A message may hold ${PAYLOAD_BYTES_MAX} bytes.`)
    if (this.readyState !== OPEN) return
    this.bufferedAmount += bytes.length
    this.#enqueue(async () => {
      await this.#call.writeMessage(bytes, text)
      this.bufferedAmount -= bytes.length
    })
  }

  close(code = NORMAL, reason = '') {
    if (this.readyState >= CLOSING) return
    const words = Buffer.from(String(reason))
    if (words.length > REASON_BYTES_MAX) throw new RangeError(`A reason may hold ${REASON_BYTES_MAX} bytes.`)
    this.readyState = CLOSING
    const payload = Buffer.concat([Buffer.from([code >> 8, code & 255]), words])
    this.#enqueue(() => {
      this.#call.end(payload)
      this.#closed(code, String(reason), true)
    })
  }

  addEventListener(type, listener, options) {
    const list = this.#listeners.get(type) ?? []
    list.push({ listener, once: options?.once === true })
    this.#listeners.set(type, list)
  }

  removeEventListener(type, listener) {
    const list = this.#listeners.get(type) ?? []
    this.#listeners.set(
      type,
      list.filter(each => each.listener !== listener),
    )
  }

  // What the shim tells

  open(call) {
    call.socket = this
    call.answerHead(this.protocol === '' ? '101' : `101\nsec-websocket-protocol: ${this.protocol}`)
    if (call.over) {
      this.#closed(ABNORMAL, '', false)
      return
    }
    this.readyState = OPEN
    this.#tell('open', {})
  }

  receive(bytes, text) {
    if (this.readyState === OPEN) {
      const data = text
        ? bytes.toString()
        : this.binaryType === 'arraybuffer'
          ? new Uint8Array(bytes).buffer
          : bytes
      this.#tell('message', { data })
    }
    this.#call.consumed(bytes.length + MESSAGE_COST_BYTES)
  }

  closedByPeer(payload) {
    const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005
    this.#closed(code, payload.toString('utf8', 2), true)
    this.#call.end(payload)
  }

  cancelled() {
    this.#closed(ABNORMAL, '', false)
    this.#call.end()
  }

  #enqueue(work) {
    this.#sending = this.#sending.then(work).catch(error => {
      this.#call.fail(error)
      this.#closed(ABNORMAL, '', false)
    })
  }

  #closed(code, reason, wasClean) {
    if (this.readyState === CLOSED) return
    this.readyState = CLOSED
    this.#tell('close', { code, reason, wasClean })
  }

  #tell(type, fields) {
    const event = Object.assign(new Event(type), fields)
    const list = this.#listeners.get(type) ?? []
    if (list.some(each => each.once)) {
      this.#listeners.set(
        type,
        list.filter(each => !each.once),
      )
    }
    this.#inCall(() => {
      const own = this[`on${type}`]
      for (const listener of own === null
        ? list.map(each => each.listener)
        : [own, ...list.map(each => each.listener)]) {
        try {
          const result =
            typeof listener === 'function' ? listener.call(this, event) : listener.handleEvent(event)
          if (typeof result?.then === 'function') result.then(undefined, error => this.#failed(error))
        } catch (error) {
          this.#failed(error)
        }
      }
    })
  }

  #failed(error) {
    console.error(error)
    this.close(INTERNAL_ERROR)
  }
}
