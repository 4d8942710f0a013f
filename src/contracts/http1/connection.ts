import type { Duplex } from 'node:stream'
import { type AnswerListener, AnswerReader } from './answer-reader.ts'

/** What a connection tells while it carries a call. */
export interface ConnectionUser extends AnswerListener {
  onWritable(): void
}

const JOINED_BYTES_MAX = 16_384

/** One connection to a server in an instance: one call at a time. */
export class HttpConnection {
  readonly socket: Duplex
  /** Monotonic time since when it carries nothing. */
  idleSince = 0
  isClosed = false
  readonly #reader = new AnswerReader()
  #user: ConnectionUser | undefined

  /** `onClose` is told once it can carry nothing more. */
  constructor(socket: Duplex, onClose: (connection: HttpConnection) => void) {
    this.socket = socket
    socket.on('data', (chunk: Buffer) => {
      if (this.#user === undefined)
        this.close() // words that nobody asked for
      else this.#reader.read(chunk)
    })
    socket.on('drain', () => this.#user?.onWritable())
    socket.on('error', () => {}) // 'close' follows
    const gone = () => {
      if (this.isClosed) return
      this.isClosed = true
      socket.destroy()
      this.#reader.end()
      onClose(this)
    }
    socket.on('end', gone)
    socket.on('close', gone)
  }

  /** Sends a request; what comes back is told to `user` until it calls `release` or `close`. */
  begin(user: ConnectionUser, head: string, body: Uint8Array | undefined, isHeadRequest: boolean): void {
    this.#user = user
    this.#reader.expect(user, isHeadRequest)
    const { socket } = this
    if (body === undefined || body.length === 0) socket.write(head, 'latin1')
    else if (body.length <= JOINED_BYTES_MAX) {
      const joined = Buffer.allocUnsafe(head.length + body.length)
      joined.write(head, 0, 'latin1')
      joined.set(body, head.length)
      socket.write(joined)
    } else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body)
      socket.uncork()
    }
  }

  /** The call is over, and another may follow. */
  release(now: number): void {
    this.#user = undefined
    this.idleSince = now
    if (this.socket.isPaused()) this.socket.resume()
  }

  close(): void {
    this.#user = undefined
    this.socket.destroy()
  }
}
