import type { CallHandle } from '../contracts/index.ts'

const HELD_BYTES_SOFT = 64 * 1024 // from here on the caller is asked to wait
const HELD_BYTES_MAX = 1024 * 1024 // a caller that does not wait is refused here

/** The part of a request's body that came while the call waited for a slot. */
export class HeldBody {
  /** The caller has sent everything. */
  isComplete = false
  #pieces: Uint8Array[] | undefined
  #bytes = 0

  /** True once it holds more than any caller may make it hold. */
  get isOverfull(): boolean {
    return this.#bytes > HELD_BYTES_MAX
  }

  /** Keeps `chunk`; false when the caller must wait. */
  push(chunk: Uint8Array): boolean {
    this.#pieces ??= []
    this.#pieces.push(chunk)
    this.#bytes += chunk.length
    return this.#bytes < HELD_BYTES_SOFT
  }

  /** All of the body when it has come, as one piece (`null` for none); `undefined` while more may follow. */
  whole(): Uint8Array | null | undefined {
    if (!this.isComplete) return undefined
    if (this.#pieces === undefined) return null
    return this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
  }

  /** Sends what is held. True when the caller was asked to wait and may go on now; else the contract's own drain will tell. */
  sendTo(handle: CallHandle): boolean {
    const wasAskedToWait = this.#bytes >= HELD_BYTES_SOFT
    let hasRoom = true
    for (const piece of this.#pieces ?? []) hasRoom = handle.write(piece)
    this.#pieces = undefined
    if (this.isComplete) handle.end()
    return wasAskedToWait && hasRoom
  }
}
