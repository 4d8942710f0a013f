import { Socket } from 'node:net'

/** Everything that is read goes through it: what a reader wants to keep, it copies. */
const shared = Buffer.allocUnsafeSlow(64 * 1024)

/** Where Node keeps what it has of a connection: the one thing here that its documentation does not name. */
const HANDLE = '_handle'

/** The part of it by which one can tell that it is as we know it. */
interface Handle {
  useUserBuffer?(buffer: Uint8Array): void
}

/**
 * An accepted connection that reads into one buffer for all of them. `node:net` offers that (`onread`) only to who connects, and else
 * makes a buffer of 64 KiB for each read and cuts it down, which costs more than to copy the few bytes of a request that are kept.
 */
export class ClientSocket extends Socket {
  /** Takes what comes in place of the event `data`; the bytes are its own only until it returns. */
  onBytes: ((bytes: Buffer) => void) | undefined

  /** `undefined` where Node does not let the connection be taken over. */
  static adopt(accepted: Socket): ClientSocket | undefined {
    const inside = accepted as unknown as { [HANDLE]: (Handle & object) | null }
    const handle = inside[HANDLE]
    if (typeof handle?.useUserBuffer !== 'function') return undefined
    inside[HANDLE] = null
    const socket = new ClientSocket(handle)
    // The server counts the one that it has made.
    socket.once('close', () => accepted.destroy())
    return socket
  }

  private constructor(handle: object) {
    const onread = { buffer: shared, callback: (length: number): boolean => this.#onRead(length) }
    super({ handle, onread } as object)
  }

  #onRead(length: number): boolean {
    const bytes = shared.subarray(0, length)
    if (!this.onBytes) return this.push(Buffer.from(bytes))
    this.onBytes(bytes)
    return true
  }
}
