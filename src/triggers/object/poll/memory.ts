import { createHash } from 'node:crypto'
import { AtelierError } from '../../../core/index.ts'
import { isRecord, type JsonRecord } from '../json.ts'
import type { Change } from './config.ts'
import type { Listed } from './listing.ts'

/** Objects of this age and younger are remembered one by one: so late may a listing show what was written. */
const RECENT_MS = 5 * 60_000
const RECENT_MAX = 4_000
/** Objects that are remembered by name, for telling what was deleted. */
export const NAMED_MAX = 5_000

export interface Difference {
  readonly object: Pick<Listed, 'name'> & Partial<Listed>
  /** `undefined` when new and changed cannot be told apart. */
  readonly change: Change | undefined
  /** What the object was known by: with the name, it identifies the event. */
  readonly version: string
}

/** One whole listing, page by page, beside what is remembered of the one before. */
export interface Comparison {
  /** What is different on this page, in its order. CONFLICT when there is more than can be remembered. */
  see(objects: readonly Listed[]): readonly Difference[]
  /** After the last page: what is gone, and what to remember. */
  end(now: number): { readonly gone: readonly Difference[]; readonly memory: unknown }
}

/**
 * `remembered` is what `end` gave the last time, for the same objects (`of`); anything else means that this is the first
 * listing, whose objects are different only when `first` is `all`. Pure.
 */
export function compare(
  remembered: unknown,
  {
    of,
    first,
    events,
  }: { readonly of: string; readonly first: 'new-only' | 'all'; readonly events: readonly Change[] },
): Comparison {
  const mine = isRecord(remembered) && remembered['of'] === of ? remembered : undefined
  const byTime = events.includes('new') && events.includes('changed') && !events.includes('deleted')
  return byTime ? new ByTime(mine, of, first) : new ByName(mine, of, first, new Set(events))
}

/**
 * By the time of the last change: whatever is younger than the newest that was seen, less some minutes, in which objects
 * are remembered one by one. Any number of objects costs the same.
 */
class ByTime implements Comparison {
  readonly #of: string
  /** Objects older than this were seen. `undefined` at the first listing. */
  readonly #since: number | undefined
  readonly #seen: ReadonlySet<string>
  readonly #all: boolean
  #newest = Number.NEGATIVE_INFINITY
  #recent: Listed[] = []
  /** What was younger than the newest before this was dropped: there was no room. */
  #dropped = Number.NEGATIVE_INFINITY

  constructor(memory: JsonRecord | undefined, of: string, first: 'new-only' | 'all') {
    const { since, seen } = memory ?? {}
    this.#of = of
    this.#since = typeof since === 'number' ? since : undefined
    this.#seen = new Set(Array.isArray(seen) ? seen.map(String) : [])
    this.#all = first === 'all'
  }

  see(objects: readonly Listed[]): readonly Difference[] {
    const found: Difference[] = []
    for (const object of objects) {
      this.#newest = Math.max(this.#newest, object.modifiedMs)
      this.#recent.push(object)
      if (this.#since === undefined ? !this.#all : object.modifiedMs < this.#since) continue
      const version = versionOf(object)
      if (!this.#seen.has(version)) found.push({ object, change: undefined, version })
    }
    if (this.#recent.length > 2 * RECENT_MAX) this.#prune()
    return found
  }

  end(now: number): { readonly gone: readonly Difference[]; readonly memory: unknown } {
    this.#prune()
    // A clock of the store that is ahead must not hide what is written after it.
    const newest = Math.min(this.#newest, now)
    const before = this.#since ?? Number.MIN_SAFE_INTEGER
    const since = Math.max(before, newest - RECENT_MS, this.#dropped + 1, Number.MIN_SAFE_INTEGER)
    const seen = this.#recent.filter(each => each.modifiedMs >= since).map(versionOf)
    return { gone: [], memory: { of: this.#of, since, seen } }
  }

  #prune(): void {
    this.#recent.sort((a, b) => b.modifiedMs - a.modifiedMs)
    const [firstDropped] = this.#recent.splice(RECENT_MAX)
    if (firstDropped !== undefined) this.#dropped = Math.max(this.#dropped, firstDropped.modifiedMs)
  }
}

/** By name: each object is remembered, so there is a bound, and what is deleted is seen. */
class ByName implements Comparison {
  readonly #of: string
  readonly #before: ReadonlyMap<string, string> | undefined
  readonly #after = new Map<string, string>()
  readonly #all: boolean
  readonly #events: ReadonlySet<Change>

  constructor(
    memory: JsonRecord | undefined,
    of: string,
    first: 'new-only' | 'all',
    events: ReadonlySet<Change>,
  ) {
    const objects = memory?.['objects']
    this.#of = of
    this.#before = Array.isArray(objects) ? new Map(objects as [string, string][]) : undefined
    this.#all = first === 'all'
    this.#events = events
  }

  see(objects: readonly Listed[]): readonly Difference[] {
    const found: Difference[] = []
    for (const object of objects) {
      const version = versionOf(object)
      this.#after.set(object.name, version)
      if (this.#after.size > NAMED_MAX)
        throw new AtelierError(
          'CONFLICT',
          `There are more than ${NAMED_MAX} objects, too many to remember each of them: narrow the trigger with a ` +
            'prefix, or set poll.events to new and changed.',
        )
      const change = this.#changeOf(object.name, version)
      if (change !== undefined && this.#events.has(change)) found.push({ object, change, version })
    }
    return found
  }

  end(): { readonly gone: readonly Difference[]; readonly memory: unknown } {
    const gone: Difference[] = []
    if (this.#events.has('deleted'))
      for (const [name, version] of this.#before ?? [])
        if (!this.#after.has(name)) gone.push({ object: { name }, change: 'deleted', version })
    return { gone, memory: { of: this.#of, objects: [...this.#after] } }
  }

  #changeOf(name: string, version: string): Change | undefined {
    if (this.#before === undefined) return this.#all ? 'new' : undefined
    const known = this.#before.get(name)
    if (known === undefined) return 'new'
    return known === version ? undefined : 'changed'
  }
}

function versionOf({ name, etag, modifiedMs }: Listed): string {
  return createHash('sha256')
    .update(JSON.stringify([name, etag, modifiedMs]))
    .digest('base64url')
    .slice(0, 12)
}
