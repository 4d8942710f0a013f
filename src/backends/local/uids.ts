import { backendFailed } from './commands.ts'

/** Host users for sandboxes. */
export interface UidRange {
  readonly first: number
  readonly count: number
}

// Between the users of machine containers and the end of what is signed: nobody hands these out. Each installation has
// its own thousand, so that two on one machine do not share a user's limits.
const FIRST = 1_900_000_000
const COUNT = 1_024
const RANGES = 16_384
// Inside a container that maps only 65,536 users there is no such space; these lie between people and nobody.
const FIRST_SMALL = 20_000
const RANGES_SMALL = 40

/** The range of an installation; `seed` is any number that is its own, `uidMap` the text of /proc/self/uid_map. */
export function uidRange(seed: number, uidMap: string): UidRange {
  const large = FIRST + (seed % RANGES) * COUNT
  const covers = uidMap.split('\n').some(line => {
    const [inside, , length] = line.trim().split(/\s+/).map(Number)
    return inside !== undefined && length !== undefined && inside <= large && large + COUNT <= inside + length
  })
  return { first: covers ? large : FIRST_SMALL + (seed % RANGES_SMALL) * COUNT, count: COUNT }
}

/** Hands out the users of a range, each to one sandbox at a time. */
export class Uids {
  readonly #range: UidRange
  readonly #taken = new Set<number>()
  #next = 0

  constructor(range: UidRange) {
    this.#range = range
  }

  /** Rejects with BACKEND_FAILED when every user is taken: the limit of sandboxes on one machine. */
  take(): number {
    // Round and round, so that a user rests as long as possible before it is somebody else's.
    for (let tries = 0; tries < this.#range.count; tries++) {
      const uid = this.#range.first + this.#next
      this.#next = (this.#next + 1) % this.#range.count
      if (this.#taken.has(uid)) continue
      this.#taken.add(uid)
      return uid
    }
    throw backendFailed(`all ${this.#range.count} users for sandboxes are taken`)
  }

  giveBack(uid: number): void {
    this.#taken.delete(uid)
  }
}
