const DAY_MS = 86_400_000
const CELL_MS = 7 * DAY_MS // no zone has ever changed its offset there and back within a week
const CELLS_MAX = 20_000 // of one zone: then they are worked out anew

/**
 * One time zone's offsets from UTC, and when they change. Wall-clock times are given as the milliseconds at which UTC
 * would show the same.
 */
export class Zone {
  readonly #format: Intl.DateTimeFormat
  /** The change within each week since 1970, or `undefined` when there is none. */
  readonly #cells = new Map<number, number | undefined>()

  /** Throws RangeError for a zone that nobody knows. */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  /** What the wall clock is ahead of UTC at `at`, in ms. */
  offsetAt(at: number): number {
    const second = Math.floor(at / 1000) * 1000
    const field: Record<string, number> = {}
    for (const { type, value } of this.#format.formatToParts(second)) field[type] = Number(value)
    const wall = Date.UTC(
      field['year']!,
      field['month']! - 1,
      field['day'],
      field['hour'],
      field['minute'],
      field['second'],
    )
    return wall - second
  }

  /** The first moment after `after` and not after `until` from which another offset holds. */
  nextChange(after: number, until: number): number | undefined {
    for (let cell = Math.floor(after / CELL_MS); cell * CELL_MS < until; cell++) {
      const change = this.#changeIn(cell)
      if (change !== undefined && change > after) return change <= until ? change : undefined
    }
    return undefined
  }

  /**
   * The moment when the wall clock shows `wall`: the first one when it does so twice; when it skips over `wall`, the
   * moment right after the jump.
   */
  momentOf(wall: number): number {
    const before = this.offsetAt(wall - 1.5 * DAY_MS)
    const first = wall - before
    if (this.offsetAt(first) === before) return first
    const behind = this.offsetAt(wall + 1.5 * DAY_MS)
    const second = wall - behind
    if (this.offsetAt(second) === behind) return second
    return this.nextChange(wall - 1.5 * DAY_MS, wall + 1.5 * DAY_MS) ?? second
  }

  #changeIn(cell: number): number | undefined {
    if (this.#cells.has(cell)) return this.#cells.get(cell)
    let from = cell * CELL_MS
    let to = from + CELL_MS
    const offset = this.offsetAt(from)
    let change: number | undefined
    if (this.offsetAt(to) !== offset) {
      while (to - from > 1000) {
        const middle = from + Math.floor((to - from) / 2000) * 1000
        if (this.offsetAt(middle) === offset) from = middle
        else to = middle
      }
      change = to
    }
    if (this.#cells.size >= CELLS_MAX) this.#cells.clear()
    this.#cells.set(cell, change)
    return change
  }
}

const zones = new Map<string, Zone>() // as many as there are zones: some six hundred names

/** The zone of this IANA name, `undefined` when there is none. */
export function zoneNamed(name: string): Zone | undefined {
  const known = zones.get(name)
  if (known) return known
  try {
    const zone = new Zone(name)
    zones.set(name, zone)
    return zone
  } catch {
    return undefined
  }
}
