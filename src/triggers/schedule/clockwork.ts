import type { Clock } from '../../core/index.ts'

const CHECK_MS = 1_000 // how late a jump of the wall clock is noticed at most
const BATCH = 500 // entries that act before others get a turn
const CROWD_MIN = 200 // entries due within AHEAD_MS that do not wait for their time, see `mayBeAhead`
const AHEAD_MS = 4_000
const CROWD_PACE_MS = 25 // between two batches of a crowd: calls have the time in between
const BACK_MS = 3 * 3_600_000 // a clock that jumps back further was wrong before; less is a correction to wait out

/** Something that is due at a time of the wall clock. */
export interface Entry {
  /** Epoch ms; `undefined` while it is not waiting. */
  dueAt: number | undefined
  /** It can prepare for its time some seconds before, when many others are due together. */
  readonly mayBeAhead: boolean
  /** `now` is the time that it waited for, or later. Where it lies in the future, the entry is ahead. */
  onDue(now: number): void
  /** The wall clock went back by hours: what it planned lies too far in the future. */
  onClockBack(now: number): void
}

/**
 * Wakes entries when they are due: one heap and one timer for all. Follows the wall clock where it jumps, since a schedule
 * means what people read off it.
 */
export class Clockwork {
  readonly #clock: Clock
  readonly #heap: { readonly at: number; readonly entry: Entry }[] = []
  #cancelTimer: (() => void) | undefined
  #timerAt = Infinity
  #hasCrowd = false
  #seen: { readonly wall: number; readonly steady: number }

  constructor(clock: Clock) {
    this.#clock = clock
    this.#seen = { wall: clock.now(), steady: clock.monotonic() }
  }

  /** The entry waits for `at` now, and for nothing else. */
  set(entry: Entry, at: number): void {
    entry.dueAt = at
    push(this.#heap, { at, entry })
    if (at < this.#timerAt) this.#arm()
  }

  /** The entry waits for nothing any more. */
  clear(entry: Entry): void {
    entry.dueAt = undefined // what is in the heap is stale now, and goes when its time comes
    if (this.#heap.length === 0) this.#disarm()
  }

  #arm(): void {
    const [first] = this.#heap
    this.#disarm()
    if (!first) return
    const now = this.#clock.now()
    const waitMs = this.#hasCrowd ? CROWD_PACE_MS : Math.min(Math.max(first.at - now, 0), CHECK_MS)
    this.#timerAt = now + waitMs
    this.#cancelTimer = this.#clock.after(waitMs, () => this.#tick())
  }

  #disarm(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#timerAt = Infinity
  }

  #tick(): void {
    this.#disarm()
    this.#watchForJumps()
    const now = this.#clock.now()
    for (let acted = 0; acted < BATCH; ) {
      const [first] = this.#heap
      if (!first || first.at > now) break
      pop(this.#heap)
      if (first.entry.dueAt !== first.at) continue // cleared, or set anew
      first.entry.dueAt = undefined
      first.entry.onDue(now)
      acted++
    }
    this.#prepareCrowd(now)
    this.#arm()
  }

  /** So many at one moment would be late, each by the others before it: they are seen to beforehand, batch by batch. */
  #prepareCrowd(now: number): void {
    this.#hasCrowd = this.#hasCrowd && this.#heap.length > 0
    if (!this.#hasCrowd && this.#heap.length < CROWD_MIN) return
    const crowd = this.#heap.filter(
      ({ at, entry }) => entry.mayBeAhead && at > now && at <= now + AHEAD_MS && entry.dueAt === at,
    )
    if (!this.#hasCrowd && crowd.length < CROWD_MIN) return
    crowd.sort((a, b) => a.at - b.at)
    for (const { at, entry } of crowd.slice(0, BATCH)) {
      entry.dueAt = undefined
      entry.onDue(at)
    }
    this.#hasCrowd = crowd.length > BATCH
  }

  #watchForJumps(): void {
    const wall = this.#clock.now()
    const steady = this.#clock.monotonic()
    const jump = wall - this.#seen.wall - (steady - this.#seen.steady)
    this.#seen = { wall, steady }
    if (jump > -BACK_MS) return
    const waiting = this.#heap.splice(0)
    for (const { at, entry } of waiting) {
      if (entry.dueAt !== at) continue
      entry.dueAt = undefined
      entry.onClockBack(wall)
    }
  }
}

type Item = { readonly at: number; readonly entry: Entry }

function push(heap: Item[], item: Item): void {
  let i = heap.length
  heap.push(item)
  while (i > 0) {
    const parent = (i - 1) >> 1
    if (heap[parent]!.at <= item.at) break
    heap[i] = heap[parent]!
    i = parent
  }
  heap[i] = item
}

function pop(heap: Item[]): void {
  const item = heap.pop()!
  if (heap.length === 0) return
  let i = 0
  for (;;) {
    let child = 2 * i + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++
    if (heap[child]!.at >= item.at) break
    heap[i] = heap[child]!
    i = child
  }
  heap[i] = item
}
