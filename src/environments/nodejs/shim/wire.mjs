// Frames to bytes and back, for the shim's end of the stream. The specification is docs/frames.md.
import { writeSync } from 'node:fs'
import { connect, Socket } from 'node:net'

export const HELLO = 1
export const LOAD = 2
export const LOADED = 3
export const LOAD_FAILED = 4
export const CALL = 16
export const RESULT = 17
export const DATA = 18
export const WINDOW = 19
export const CANCEL = 20
export const FAIL = 21
export const MESSAGE = 22
export const LOG = 23
export const PING = 32
export const PONG = 33
export const DRAIN = 34

export const END = 1
export const TEXT = 2

export const DATA_BYTES_MAX = 64 * 1024
export const WINDOW_BYTES = 262_144
/** What a WebSocket message takes of the window beside its payload. */
export const MESSAGE_COST_BYTES = 64
export const PAYLOAD_BYTES_MAX = 1024 * 1024

const HEAD_BYTES = 10
const READ_BYTES = 64 * 1024
const SLAB_BYTES = 64 * 1024
const COPIED_BYTES_MAX = 16 * 1024
const INSTANCE_FD = 3
const NOTHING = new Uint8Array(0)

/** The stream to the platform: frames in through `onFrame(type, flags, call, bytes, start, end)`, frames out gathered. */
export class Wire {
  #socket
  #onFrame
  #slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
  #start = 0
  #end = 0
  #parts = []
  #pending = false
  #reading = false
  #readAtMs = 0
  #resting = false // something waits for the frames that are here to be read
  #rest = undefined // a frame that has not come whole
  #flush = () => this.flush()

  /**
   * `onFrame` reads its payload before it returns: the bytes are used again for the next read. `open` gives the stream,
   * which hands what it reads to its argument.
   */
  constructor(onFrame, onEnd, open = openStream) {
    this.#onFrame = onFrame
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    const onread = {
      buffer,
      callback: length => {
        this.#read(buffer, length)
        return true
      },
    }
    this.#socket = open(onread)
    this.#socket.on('error', onEnd)
    this.#socket.on('close', onEnd)
    this.#socket.resume()
  }

  /** A frame with a payload of bytes; what is longer than 16 KiB is not copied, so its owner leaves it alone. */
  frame(type, flags, call, payload = NOTHING) {
    const length = payload.length
    if (length <= COPIED_BYTES_MAX) {
      this.#head(type, flags, call, length, length)
      this.#slab.set(payload, this.#end)
      this.#end += length
    } else {
      this.#head(type, flags, call, length, 0)
      this.#close()
      this.#parts.push(payload)
    }
  }

  /** A frame with a payload of text. */
  text(type, flags, call, text) {
    this.frame(type, flags, call, Buffer.from(text))
  }

  window(call, bytes) {
    this.#head(WINDOW, 0, call, 4, 4)
    this.#end = this.#slab.writeUInt32BE(bytes, this.#end)
  }

  /** RESULT with the head's text and a body of bytes. */
  result(flags, call, head, body = NOTHING) {
    const copied = body.length <= COPIED_BYTES_MAX
    this.#room(HEAD_BYTES + 4 + head.length * 3 + (copied ? body.length : 0))
    const at = this.#end
    const headBytes = this.#slab.write(head, at + HEAD_BYTES + 4)
    this.#headAt(at, 4 + headBytes + body.length, RESULT, flags, call)
    this.#slab.writeUInt32BE(headBytes, at + HEAD_BYTES)
    this.#end = at + HEAD_BYTES + 4 + headBytes
    if (copied) {
      this.#slab.set(body, this.#end)
      this.#end += body.length
    } else {
      this.#close()
      this.#parts.push(body)
    }
  }

  /** RESULT whose body is a short text: the whole answer is written into place without a copy. */
  resultText(flags, call, head, body) {
    this.#room(HEAD_BYTES + 4 + (head.length + body.length) * 3)
    const at = this.#end
    const slab = this.#slab
    const headBytes = slab.write(head, at + HEAD_BYTES + 4)
    const bodyBytes = slab.write(body, at + HEAD_BYTES + 4 + headBytes)
    this.#headAt(at, 4 + headBytes + bodyBytes, RESULT, flags, call)
    slab.writeUInt32BE(headBytes, at + HEAD_BYTES)
    this.#end = at + HEAD_BYTES + 4 + headBytes + bodyBytes
    return bodyBytes
  }

  /** Sends at the end of this turn of the event loop. */
  flushSoon() {
    if (this.#pending) return
    this.#pending = true
    setImmediate(this.#flush)
  }

  /**
   * Nothing else is under way: sends at once, or together with the answers to the frames that came with this one. A write
   * costs more than a short handler. Only where those take their time, nobody waits for them.
   */
  flushAtRest() {
    if (!this.#reading || Date.now() !== this.#readAtMs) this.flush()
    else this.#resting = true
  }

  flush() {
    this.#pending = false
    this.#resting = false
    this.#close()
    const parts = this.#parts
    if (parts.length === 0) return
    this.#parts = []
    const socket = this.#socket
    if (parts.length === 1) socket.write(parts[0])
    else {
      socket.cork()
      for (const part of parts) socket.write(part)
      socket.uncork()
    }
  }

  /** What is left goes out before the process does, as far as the socket takes it. */
  flushAtExit() {
    this.#close()
    if (this.#socket.writableLength > 0 || this.#socket.destroyed) return
    try {
      for (const part of this.#parts) writeSync(INSTANCE_FD, part)
    } catch {
      // The platform has gone, or reads too slowly to wait for.
    }
  }

  end() {
    this.flush()
    this.#socket.end()
  }

  #head(type, flags, call, length, following) {
    this.#room(HEAD_BYTES + following)
    this.#headAt(this.#end, length, type, flags, call)
    this.#end += HEAD_BYTES
  }

  #headAt(at, length, type, flags, call) {
    const slab = this.#slab
    slab.writeUInt32BE(length, at)
    slab[at + 4] = type
    slab[at + 5] = flags
    slab.writeUInt32BE(call, at + 6)
  }

  #room(bytes) {
    if (this.#slab.length - this.#end >= bytes) return
    this.#close()
    this.#slab = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytes))
    this.#start = 0
    this.#end = 0
  }

  #close() {
    if (this.#start === this.#end) return
    this.#parts.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  #read(buffer, length) {
    let bytes = buffer
    let end = length
    if (this.#rest !== undefined) {
      bytes = this.#append(buffer, length)
      if (bytes === undefined) return
      end = bytes.length
    }
    let at = 0
    this.#reading = true
    this.#readAtMs = Date.now()
    while (end - at >= HEAD_BYTES) {
      const payload = at + HEAD_BYTES
      const next = payload + bytes.readUInt32BE(at)
      if (next - payload > PAYLOAD_BYTES_MAX) throw new Error('The platform sent a frame that is too long.')
      if (next > end) break
      this.#onFrame(bytes[at + 4], bytes[at + 5], bytes.readUInt32BE(at + 6), bytes, payload, next)
      at = next
    }
    this.#reading = false
    if (this.#resting) this.flush()
    if (at < end) this.#rest = { chunks: [Buffer.from(bytes.subarray(at, end))], length: end - at }
  }

  /** Adds to the unfinished frame; gives it back joined once it is whole. */
  #append(buffer, length) {
    const rest = this.#rest
    rest.chunks.push(Buffer.from(buffer.subarray(0, length)))
    rest.length += length
    if (rest.needed === undefined && rest.length >= HEAD_BYTES) {
      rest.chunks = [Buffer.concat(rest.chunks)]
      rest.needed = HEAD_BYTES + rest.chunks[0].readUInt32BE(0)
    }
    if (rest.needed === undefined || rest.length < Math.min(rest.needed, HEAD_BYTES + PAYLOAD_BYTES_MAX))
      return
    this.#rest = undefined
    return Buffer.concat(rest.chunks)
  }
}

function openStream(onread) {
  const target = process.env.ATELIER_CONNECT
  if (target === undefined) return new Socket({ fd: INSTANCE_FD, readable: true, writable: true, onread })
  const url = new URL(target)
  return connect({ host: url.hostname, port: Number(url.port), noDelay: true, onread })
}
