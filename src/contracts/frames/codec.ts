/** Bytes to frames and back; see docs/frames.md. Knows no calls and does no I/O. */

export const FRAME_HEAD_BYTES = 10
export const PAYLOAD_BYTES_MAX = 1024 * 1024
export const DATA_BYTES_MAX = 64 * 1024
export const WINDOW_BYTES = 262_144
/** What a WebSocket message takes of the window beside its payload: else empty ones would be sent without end. */
export const MESSAGE_COST_BYTES = 64

export const FLAG_END = 1
export const FLAG_TEXT = 2

export const FrameType = {
  hello: 1,
  load: 2,
  loaded: 3,
  loadFailed: 4,
  call: 16,
  result: 17,
  data: 18,
  window: 19,
  cancel: 20,
  fail: 21,
  message: 22,
  log: 23,
  ping: 32,
  pong: 33,
  drain: 34,
} as const

export interface FrameVisitor {
  /**
   * One frame. `payload` is a view of the chunk it came in where it can be: pass it on or copy it, but do not write
   * to it. Returning false stops the reader for good.
   */
  onFrame(type: number, flags: number, call: number, payload: Buffer): boolean
}

/** Cuts a byte stream into frames, whatever the chunks. */
export class FrameReader {
  /** Head of a frame whose bytes have not all come yet. */
  readonly #head = Buffer.allocUnsafe(FRAME_HEAD_BYTES)
  #headFilled = 0
  #payload: Buffer | undefined
  #payloadFilled = 0
  #stopped = false

  /** Tells `visitor` every frame that `chunk` completes. The result says what is wrong with the stream, if something is. */
  push(chunk: Buffer, visitor: FrameVisitor): string | undefined {
    let offset = 0
    while (!this.#stopped) {
      const available = chunk.length - offset
      if (this.#headFilled === 0 && available >= FRAME_HEAD_BYTES) {
        const length = chunk.readUInt32BE(offset)
        if (length > PAYLOAD_BYTES_MAX) return this.#tooLong(length)
        const end = offset + FRAME_HEAD_BYTES + length
        if (end <= chunk.length) {
          this.#emit(chunk, offset, chunk.subarray(offset + FRAME_HEAD_BYTES, end), visitor)
          offset = end
          continue
        }
      }
      if (available === 0) return
      const problem = this.#pushPart(chunk, offset, visitor)
      if (typeof problem === 'string') return problem
      offset = problem
    }
  }

  /** Takes what the unfinished frame lacks; returns where the rest of the chunk begins. */
  #pushPart(chunk: Buffer, from: number, visitor: FrameVisitor): number | string {
    let offset = from
    if (this.#headFilled < FRAME_HEAD_BYTES) {
      const taken = chunk.copy(
        this.#head,
        this.#headFilled,
        offset,
        offset + FRAME_HEAD_BYTES - this.#headFilled,
      )
      this.#headFilled += taken
      offset += taken
      if (this.#headFilled < FRAME_HEAD_BYTES) return offset
      const length = this.#head.readUInt32BE(0)
      if (length > PAYLOAD_BYTES_MAX) return this.#tooLong(length)
      this.#payload = Buffer.allocUnsafe(length)
      this.#payloadFilled = 0
    }
    const payload = this.#payload as Buffer
    const taken = chunk.copy(
      payload,
      this.#payloadFilled,
      offset,
      offset + payload.length - this.#payloadFilled,
    )
    this.#payloadFilled += taken
    offset += taken
    if (this.#payloadFilled === payload.length) {
      this.#headFilled = 0
      this.#payload = undefined
      this.#emit(this.#head, 0, payload, visitor)
    }
    return offset
  }

  #emit(head: Buffer, offset: number, payload: Buffer, visitor: FrameVisitor): void {
    const call = head.readUInt32BE(offset + 6)
    const type = head[offset + 4] as number
    const flags = head[offset + 5] as number
    if (!visitor.onFrame(type, flags, call, payload)) this.#stopped = true
  }

  #tooLong(length: number): string {
    this.#stopped = true
    return `a frame of ${length} bytes, more than ${PAYLOAD_BYTES_MAX}`
  }
}

const SLAB_BYTES_FIRST = 16 * 1024
const SLAB_BYTES_MAX = 64 * 1024 // what a busy link says in one turn fits in one piece; a quiet one never has such a slab
const COPIED_BYTES_MAX = 4 * 1024 // larger payloads go out as they are, without a copy
const EMPTY = new Uint8Array(0)

/**
 * Gathers frames until `take` hands them over as few buffers, in order. Payloads above 4 KiB are not copied: their owner
 * leaves them unchanged until they are written.
 */
export class FrameWriter {
  #slab: Buffer | undefined
  #start = 0
  #end = 0
  #parts: Uint8Array[] = []

  /** A frame whose payload is ready. */
  frame(type: number, flags: number, call: number, payload: Uint8Array = EMPTY): void {
    const copied = payload.length <= COPIED_BYTES_MAX
    const slab = this.#room(FRAME_HEAD_BYTES + (copied ? payload.length : 0))
    this.#end = writeHead(slab, this.#end, payload.length, type, flags, call)
    if (copied) {
      slab.set(payload, this.#end)
      this.#end += payload.length
    } else this.#append(payload)
  }

  /** A frame of CALL or RESULT: the length of the head text, the text, the body's first piece. */
  frameWithHead(type: number, flags: number, call: number, head: string, body: Uint8Array = EMPTY): void {
    const copied = body.length <= COPIED_BYTES_MAX
    const slab = this.#room(FRAME_HEAD_BYTES + 4 + head.length * 3 + (copied ? body.length : 0))
    const textAt = this.#end + FRAME_HEAD_BYTES + 4
    const textBytes = slab.write(head, textAt)
    writeHead(slab, this.#end, 4 + textBytes + body.length, type, flags, call)
    slab.writeUInt32BE(textBytes, textAt - 4)
    this.#end = textAt + textBytes
    if (copied) {
      slab.set(body, this.#end)
      this.#end += body.length
    } else this.#append(body)
  }

  /** A frame whose payload is text. */
  frameWithText(type: number, flags: number, call: number, text: string): void {
    this.frame(type, flags, call, Buffer.from(text))
  }

  /** A WINDOW frame: `bytes` more may be sent in `call`. */
  window(call: number, bytes: number): void {
    const slab = this.#room(FRAME_HEAD_BYTES + 4)
    this.#end = writeHead(slab, this.#end, 4, FrameType.window, 0, call)
    this.#end = slab.writeUInt32BE(bytes, this.#end)
  }

  /** Everything since the last `take`. */
  take(): readonly Uint8Array[] {
    this.#close()
    const parts = this.#parts
    this.#parts = []
    return parts
  }

  #room(bytes: number): Buffer {
    if (this.#slab !== undefined && this.#slab.length - this.#end >= bytes) return this.#slab
    this.#close()
    const usual =
      this.#slab === undefined ? SLAB_BYTES_FIRST : Math.min(2 * this.#slab.length, SLAB_BYTES_MAX)
    this.#slab = Buffer.allocUnsafeSlow(Math.max(usual, bytes))
    this.#start = 0
    this.#end = 0
    return this.#slab
  }

  #append(payload: Uint8Array): void {
    this.#close()
    this.#parts.push(payload)
  }

  #close(): void {
    if (this.#slab === undefined || this.#start === this.#end) return
    this.#parts.push(this.#slab.subarray(this.#start, this.#end))
    this.#start = this.#end
  }
}

function writeHead(
  into: Buffer,
  at: number,
  length: number,
  type: number,
  flags: number,
  call: number,
): number {
  into.writeUInt32BE(length, at)
  into[at + 4] = type
  into[at + 5] = flags
  return into.writeUInt32BE(call, at + 6)
}
