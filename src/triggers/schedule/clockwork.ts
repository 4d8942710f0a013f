import type { Clock } from '../../core/index.ts'

const CHECK_MS = 1_000 // how late a jump of the wall clock is noticed at most
const BATCH = 500 // entries that act before others get a turn
const BACK_MS = 3 * 3_600_000 // a clock that jumps back further was wrong before; less is a correction to wait out

/** Something that is due at a time of the wall clock. */
export interface Entry {
  /** Epoch ms; `undefined` while it is not waiting. */
  dueAt: number | undefined
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
    const waitMs = Math.min(Math.max(first.at - now, 0), CHECK_MS)
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
    this.#arm()
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
