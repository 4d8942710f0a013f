export const CALL_NUMBER_MAX = 0x7fff_ffff // what a frame has room for

const SIZE_FIRST = 64

interface Numbered {
  readonly number: number
}

/**
 * The calls in hand by their numbers, which it gives out. A `Map` that grows and shrinks with every call rehashes all the
 * time, and V8 links each table it leaves to its successor: once one of them is old, the calls of all that follow survive
 * until a full collection. This array is never left behind while the number of calls at once does not double.
 */
export class CallTable<T extends Numbered> {
  #slots: (T | undefined)[] = emptySlots(SIZE_FIRST)
  #size = 0
  #last = 0

  get size(): number {
    return this.#size
  }

  /** A number that no call has; numbers are used again as late as can be. */
  nextNumber(): number {
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    do this.#last = this.#last === CALL_NUMBER_MAX ? 1 : this.#last + 1
    while (this.#slots[this.#placeOf(this.#last)])
    return this.#last
  }

  /** `call` has the number that was given out last. */
  add(call: T): void {
    this.#slots[this.#placeOf(call.number)] = call
    this.#size++
  }

  get(number: number): T | undefined {
    const call = this.#slots[this.#placeOf(number)]
    return call?.number === number ? call : undefined
  }

  delete(number: number): void {
    if (!this.get(number)) return
    this.#slots[this.#placeOf(number)] = undefined
    this.#size--
  }

  /** Those that are in hand now, whatever happens to them meanwhile. */
  all(): readonly T[] {
    return this.#slots.filter(call => call !== undefined)
  }

  #placeOf(number: number): number {
    return number & (this.#slots.length - 1)
  }

  /** Two calls with places of their own have places of their own among twice as many. */
  #grow(): void {
    const calls = this.all()
    this.#slots = emptySlots(this.#slots.length * 2)
    for (const call of calls) this.#slots[this.#placeOf(call.number)] = call
  }
}

function emptySlots<T>(size: number): (T | undefined)[] {
  return Array.from({ length: size }, () => undefined)
}
