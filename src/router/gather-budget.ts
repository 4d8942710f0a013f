/**
 * Memory for bodies that are gathered whole, shared by all: no owner may hold more than a part of it, so that nobody who
 * sends slowly, or much at once, keeps it from the others.
 */
export class GatherBudget {
  readonly #bytesMax: number
  readonly #bytesMaxOfOne: number
  readonly #held = new Map<string, number>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
    this.#bytesMaxOfOne = bytesMax / OWNERS_AT_LEAST
  }

  /** What one request holds; `take` says whether there was room, `close` gives everything back. */
  open(owner: string): { readonly bytes: number; take(bytes: number): boolean; close(): void } {
    let mine = 0
    return {
      get bytes() {
        return mine
      },
      take: bytes => {
        const held = (this.#held.get(owner) ?? 0) + bytes
        if (held > this.#bytesMaxOfOne || this.#bytes + bytes > this.#bytesMax) return false
        this.#held.set(owner, held)
        this.#bytes += bytes
        mine += bytes
        return true
      },
      close: () => {
        const left = (this.#held.get(owner) ?? 0) - mine
        if (left > 0) this.#held.set(owner, left)
        else this.#held.delete(owner)
        this.#bytes -= mine
        mine = 0
      },
    }
  }
}

const OWNERS_AT_LEAST = 4 // share the memory before it is full
