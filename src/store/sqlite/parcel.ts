const SHELF_BYTES = 16 * 1024
const FIRST_SHELF_BYTES = 512 // one that is alone must not hold much more than itself
const SMALL_BYTES_MAX = 2 * 1024 // larger ones are handed over by themselves

/**
 * Bytes on their way to another thread in one message. Each buffer that travels costs some microseconds, so small ones are
 * copied together into one; what is a part of a larger buffer is copied out of it, or all of that would go along.
 */
export class Parcel {
  /** What the message hands over. */
  readonly transfer: ArrayBuffer[] = []
  #shelf: ArrayBuffer | undefined
  #used = 0

  /** What to send instead of `value`, which stays the sender's. */
  copy(value: Uint8Array): Uint8Array {
    if (value.byteLength <= SMALL_BYTES_MAX) return this.#small(value)
    if (value.byteLength === value.buffer.byteLength) return value // copied as it is sent
    return this.give(new Uint8Array(value))
  }

  /** What to send instead of `value`, which has its buffer for itself and is the sender's no more. */
  give(value: Uint8Array): Uint8Array {
    if (value.byteLength <= SMALL_BYTES_MAX) return this.#small(value)
    this.transfer.push(value.buffer as ArrayBuffer)
    return value
  }

  #small(value: Uint8Array): Uint8Array {
    if (!this.#shelf || this.#used + value.byteLength > this.#shelf.byteLength) {
      const bytes = this.#shelf ? SHELF_BYTES : Math.max(FIRST_SHELF_BYTES, value.byteLength)
      this.#shelf = new ArrayBuffer(bytes)
      this.#used = 0
      this.transfer.push(this.#shelf)
    }
    const copy = new Uint8Array(this.#shelf, this.#used, value.byteLength)
    copy.set(value)
    this.#used += value.byteLength
    return copy
  }
}
