import type { Socket } from 'node:net'
import type { Clock } from '../../core/index.ts'
import type { RouterLimits } from '../limits.ts'

/** One connection, and what is known of its progress. */
export interface Watched {
  readonly socket: Socket
  /** The client's; IPv4 written as IPv4. */
  readonly address: string
  /** Exchanges on it that are not over; more than one when the client pipelines. */
  open: number
  /** Set while bytes of a body are due; called when they stay away. */
  onBodyStall: (() => void) | undefined
  /** Counted when the sweep came by last. */
  read: number
  written: number
  readMovedAt: number
  writtenMovedAt: number
}

/** All connections of a front, and an eye on those that stand still. */
export class SocketWatch {
  readonly #clock: Clock
  readonly #limits: RouterLimits
  readonly #watched = new Map<Socket, Watched>()
  readonly #everyMs: number
  #cancelSweep: (() => void) | undefined

  constructor(clock: Clock, limits: RouterLimits) {
    this.#clock = clock
    this.#limits = limits
    this.#everyMs = Math.min(1_000, limits.bodyStallMs / 4, limits.writeStallMs / 4)
  }

  get size(): number {
    return this.#watched.size
  }

  add(socket: Socket): void {
    const now = this.#clock.monotonic()
    const remote = socket.remoteAddress ?? ''
    this.#watched.set(socket, {
      socket,
      address: remote.startsWith('::ffff:') ? remote.slice(7) : remote,
      open: 0,
      onBodyStall: undefined,
      read: 0,
      written: 0,
      readMovedAt: now,
      writtenMovedAt: now,
    })
    socket.on('close', () => this.#watched.delete(socket))
    // A client that resets its connection is not news; 'close' follows.
    socket.on('error', ignore)
    this.#cancelSweep ??= this.#clock.after(this.#everyMs, this.#sweep)
  }

  of(socket: Socket): Watched | undefined {
    return this.#watched.get(socket)
  }

  /** The socket is another's from now on. */
  release(socket: Socket): void {
    this.#watched.delete(socket)
    socket.off('error', ignore)
  }

  /** The last answer is written: drops what the client still sends for a while, so that it can read that answer. */
  linger(socket: Socket): void {
    let bytes = 0
    socket.removeAllListeners('data')
    socket.on('data', chunk => {
      bytes += chunk.length
      if (bytes > this.#limits.lingerBytesMax) socket.destroy()
    })
    this.lingerUntilLate(socket)
  }

  /** As `linger`, where somebody else reads and drops. */
  lingerUntilLate(socket: Socket): void {
    const cancel = this.#clock.after(this.#limits.lingerMs, () => socket.destroy())
    socket.once('close', cancel)
  }

  /** Stops watching; ends every connection. */
  close(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    for (const socket of this.#watched.keys()) socket.destroy()
  }

  readonly #sweep = (): void => {
    this.#cancelSweep = undefined
    const now = this.#clock.monotonic()
    for (const watched of this.#watched.values()) this.#look(watched, now)
    if (this.#watched.size > 0) this.#cancelSweep = this.#clock.after(this.#everyMs, this.#sweep)
  }

  #look(watched: Watched, now: number): void {
    const { socket } = watched
    if (watched.onBodyStall === undefined || socket.bytesRead !== watched.read) {
      watched.read = socket.bytesRead
      watched.readMovedAt = now
    } else if (now - watched.readMovedAt > this.#limits.bodyStallMs) watched.onBodyStall()
    const written = socket.bytesWritten - socket.writableLength
    if (socket.writableLength === 0 || written !== watched.written) {
      watched.written = written
      watched.writtenMovedAt = now
    } else if (now - watched.writtenMovedAt > this.#limits.writeStallMs) socket.resetAndDestroy()
  }
}

function ignore(): void {}
