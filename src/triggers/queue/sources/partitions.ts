/** How far each partition of a topic is handled: everything before `next` is. Messages may be handled in any order. */
export class Progress {
  readonly #inHand = new Set<bigint>()
  #highest = -1n
  #committed = -1n

  begin(offset: bigint): void {
    this.#inHand.add(offset)
    if (offset > this.#highest) this.#highest = offset
  }

  done(offset: bigint): void {
    this.#inHand.delete(offset)
  }

  get isIdle(): boolean {
    return this.#inHand.size === 0
  }

  /** The offset to commit, when it is further than the last one that was. */
  toCommit(): bigint | undefined {
    let next = this.#highest + 1n
    for (const offset of this.#inHand) if (offset < next) next = offset
    return next > this.#committed && next > 0n ? next : undefined
  }

  committed(next: bigint): void {
    if (next > this.#committed) this.#committed = next
  }
}
