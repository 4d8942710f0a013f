const STATEMENTS_MAX = 500 // the product's own are fewer, lists with filters add some

export interface StatementPlace {
  readonly number: number
  columns: readonly string[]
}

/** Which statements the thread keeps prepared, and where. The one that was not used for longest makes room. */
export class StatementPlaces {
  readonly #places = new Map<string, StatementPlace>()
  readonly #free: number[] = []

  /** `isNew`: the thread has to be told the text. */
  of(text: string): { readonly place: StatementPlace; readonly isNew: boolean } {
    const known = this.#places.get(text)
    this.#places.delete(text)
    const place = known ?? { number: this.#room(), columns: [] }
    this.#places.set(text, place)
    return { place, isNew: known === undefined }
  }

  forget(text: string): void {
    const place = this.#places.get(text)
    if (place && this.#places.delete(text)) this.#free.push(place.number)
  }

  #room(): number {
    const free = this.#free.pop()
    if (free !== undefined) return free
    const { size } = this.#places
    if (size < STATEMENTS_MAX) return size
    const [[text, { number }]] = this.#places.entries() as unknown as [[string, StatementPlace]]
    this.#places.delete(text)
    return number
  }
}
