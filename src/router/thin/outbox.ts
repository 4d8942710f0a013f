import type { Socket } from 'node:net'
import type { Flusher } from '../plane.ts'

/**
 * Whole answers on their way to a socket, written together with those of other connections when the turn is over: a client
 * that serves several connections is then still awake when the next answer comes, and waking one costs more than a write.
 */
export class Outbox {
  readonly #socket: Socket
  readonly #carrier: Socket
  readonly #flusher: Flusher
  #waiting: string | undefined

  /** `carrier`: what carries `socket`, when that is encrypted; else the same. */
  constructor(socket: Socket, carrier: Socket, flusher: Flusher) {
    this.#socket = socket
    this.#carrier = carrier
    this.#flusher = flusher
  }

  /** The socket, for whoever writes to it at once or ends it: what waits goes first. */
  get socket(): Socket {
    this.flush()
    return this.#socket
  }

  /** Writes `text` before this turn is over, each character a byte. */
  writeSoon(text: string): void {
    this.flush()
    this.#waiting = text
    this.#flusher.add(this)
  }

  /** Breaks the connection off so that no client takes what it has for the whole. */
  reset(): void {
    this.#carrier.resetAndDestroy() // what is encrypted goes with it
  }

  flush(): void {
    const text = this.#waiting
    if (text === undefined) return
    this.#waiting = undefined
    if (!this.#socket.destroyed) this.#socket.write(text, 'latin1')
  }
}
