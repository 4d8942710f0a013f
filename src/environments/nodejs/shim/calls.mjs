const SIZE_FIRST = 64

/**
 * The calls in hand by number. A `Map` through which every call passes leaves tables behind that keep calls alive until
 * a full garbage collection; this array stays. The platform's numbers are chosen so that few share a place.
 */
export class Calls {
  #slots = Array.from({ length: SIZE_FIRST })
  size = 0

  add(call) {
    while (this.#slots[this.#placeOf(call.number)] !== undefined) this.#grow()
    this.#slots[this.#placeOf(call.number)] = call
    this.size++
  }

  get(number) {
    const call = this.#slots[this.#placeOf(number)]
    return call?.number === number ? call : undefined
  }

  delete(call) {
    if (this.get(call.number) !== call) return
    this.#slots[this.#placeOf(call.number)] = undefined
    this.size--
  }

  /** Those that are in hand now. */
  all() {
    return this.#slots.filter(call => call !== undefined)
  }

  #placeOf(number) {
    return number & (this.#slots.length - 1)
  }

  #grow() {
    const calls = this.all()
    this.#slots = Array.from({ length: this.#slots.length * 2 })
    for (const call of calls) this.#slots[this.#placeOf(call.number)] = call
  }
}
