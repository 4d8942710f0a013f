import type { Item } from './work.ts'

/** What a batch may hold together, in bytes of messages: with room for encoding, it fits into a buffered call. */
const BATCH_BYTES_MAX = 3 * 1024 * 1024

/**
 * Messages that wait for a call, in the order they came. With ordering by key, those whose key is being worked on stand
 * aside until it is free.
 */
export class Line {
  readonly #ordered: boolean
  #ready: Item[] = []
  readonly #busy = new Set<string>()
  readonly #aside = new Map<string, Item[]>()
  #asideCount = 0

  constructor(ordered: boolean) {
    this.#ordered = ordered
  }

  get length(): number {
    return this.#ready.length
  }

  /** Messages that wait for others with the same key. */
  get asideCount(): number {
    return this.#asideCount
  }

  get oldest(): Item | undefined {
    return this.#ready[0]
  }

  push(item: Item): void {
    this.#ready.push(item)
  }

  /** Back to the front, in this order. */
  putBack(items: readonly Item[]): void {
    this.free(items)
    this.#ready.unshift(...items)
  }

  /**
   * The next messages for one call; empty when all that wait, wait for a key. Their keys are busy until `free`.
   * `oneKey`: all of them have the same.
   */
  take(countMax: number, oneKey: boolean): Item[] {
    const taken: Item[] = []
    let bytes = 0
    let read = 0
    while (read < this.#ready.length && taken.length < countMax) {
      const item = this.#ready[read]!
      if (item.key !== undefined && this.#busy.has(item.key)) {
        this.#putAside(item, item.key)
        read++
        continue
      }
      if (taken.length > 0 && (item.alone || bytes + item.bytes > BATCH_BYTES_MAX)) break
      if (taken.length > 0 && oneKey && item.key !== taken[0]!.key) break
      taken.push(item)
      bytes += item.bytes
      read++
      if (item.alone) break
    }
    this.#ready.splice(0, read)
    if (this.#ordered) for (const { key } of taken) if (key !== undefined) this.#busy.add(key)
    return taken
  }

  /** Their keys are free again. */
  free(items: readonly Item[]): void {
    if (!this.#ordered) return
    const back: Item[] = []
    for (const { key } of items) {
      if (key === undefined || !this.#busy.delete(key)) continue
      const aside = this.#aside.get(key) ?? []
      this.#aside.delete(key)
      this.#asideCount -= aside.length
      back.push(...aside)
    }
    this.#ready.unshift(...back)
  }

  /** Takes everything out that waits. Keys of what is being worked on stay busy. */
  clear(): Item[] {
    const all = [...this.#ready, ...[...this.#aside.values()].flat()]
    this.#ready = []
    this.#aside.clear()
    this.#asideCount = 0
    return all
  }

  #putAside(item: Item, key: string): void {
    const list = this.#aside.get(key)
    if (list) list.push(item)
    else this.#aside.set(key, [item])
    this.#asideCount++
  }
}
