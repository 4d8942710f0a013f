const NOTHING = Buffer.alloc(0)

/**
 * Small pieces put together to one. A piece costs far more than its bytes: an object, a chunk of the answer, and the whole
 * block of memory that it is a view of. So a window full of single bytes, which nobody reads, would hold gigabytes.
 */
export class Crumbs {
  static readonly bytesMax = 16 * 1024
  #buffer = NOTHING
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  /** Copies `piece`; with what is here already it holds at most `bytesMax` bytes. */
  add(piece: Uint8Array): void {
    if (this.#bytes === 0) this.#buffer = Buffer.allocUnsafe(Crumbs.bytesMax)
    this.#buffer.set(piece, this.#bytes)
    this.#bytes += piece.length
  }

  /** All of it as one piece, which is the caller's from now on. */
  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#bytes)
    this.#buffer = NOTHING
    this.#bytes = 0
    return taken
  }
}
