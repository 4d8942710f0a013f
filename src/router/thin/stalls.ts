import type { Socket } from 'node:net'
import type { RouterLimits } from '../limits.ts'
import { Stall } from '../stall.ts'

/** What a connection is waiting for its client to do. */
export interface Waiting {
  /** Between requests, or within a head. */
  readonly forHead: boolean
  /** A head has begun, or the first one is still to come. */
  readonly isHeadDue: boolean
  readonly forBody: boolean
  /** Grows with every request, so that one wait is not taken for another. */
  readonly requests: number
}

/** Which wait of a connection has lasted too long, seen by one who comes by at intervals. */
export class ConnectionStalls {
  readonly #head = new Stall()
  readonly #body = new Stall()
  readonly #write = new Stall()

  overdue(
    nowMs: number,
    waiting: Waiting,
    socket: Socket,
    limits: RouterLimits,
  ): 'head' | 'idle' | 'body' | 'write' | undefined {
    const { forHead, isHeadDue, forBody, requests } = waiting
    const headMs = this.#head.forMs(nowMs, forHead, requests * 2 + (isHeadDue ? 1 : 0))
    const bodyMs = this.#body.forMs(nowMs, forBody, socket.bytesRead)
    const written = socket.bytesWritten - socket.writableLength
    const writeMs = this.#write.forMs(nowMs, socket.writableLength > 0, written)
    if (writeMs > limits.writeStallMs) return 'write'
    if (bodyMs > limits.bodyStallMs) return 'body'
    if (isHeadDue) return headMs > limits.headTimeoutMs ? 'head' : undefined
    return headMs > limits.keepAliveMs ? 'idle' : undefined
  }
}
