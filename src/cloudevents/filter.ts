import { AtelierError, type InputError } from '../core/index.ts'
import { attributeOf, type CloudEvent, nameProblem } from './event.ts'

/**
 * A filter on attributes, in the dialects that CloudEvents Subscriptions requires. Several attributes in one `exact`,
 * `prefix` or `suffix` must all fit; an attribute that the event does not have fits none of them.
 */
export type EventFilter =
  | { readonly exact: Readonly<Record<string, string>> }
  | { readonly prefix: Readonly<Record<string, string>> }
  | { readonly suffix: Readonly<Record<string, string>> }
  | { readonly all: readonly EventFilter[] }
  | { readonly any: readonly EventFilter[] }
  | { readonly not: EventFilter }

export const FILTER_DEPTH_MAX = 8
/** Comparisons and groups of one filter, in all. */
export const FILTER_PARTS_MAX = 200

/** Whether the event fits. Values are compared as text, case included; the filter is one that `checkFilter` passed. */
export function matches(filter: EventFilter, event: CloudEvent): boolean {
  return matchesAttributes(filter, name => attributeOf(event, name))
}

/** The same for events of another form: `value` tells an attribute, `undefined` when it has none of that name. */
export function matchesAttributes(filter: EventFilter, value: (name: string) => string | undefined): boolean {
  if ('all' in filter) return filter.all.every(each => matchesAttributes(each, value))
  if ('any' in filter) return filter.any.some(each => matchesAttributes(each, value))
  if ('not' in filter) return !matchesAttributes(filter.not, value)
  const [dialect, wanted] = Object.entries(filter)[0]! as [Dialect, Readonly<Record<string, string>>]
  return Object.entries(wanted).every(([name, text]) => {
    const held = value(name)
    return held !== undefined && COMPARE[dialect](held, text)
  })
}

/** What is wrong with a filter from outside; empty: it is an `EventFilter`. `pointer` is where it stands. */
export function filterErrors(filter: unknown, pointer: string): InputError[] {
  return new Check().filter(filter, pointer, 1)
}

/** The filter, or INVALID_INPUT that names each part that is wrong. */
export function checkFilter(filter: unknown, pointer: string): EventFilter {
  const errors = filterErrors(filter, pointer)
  if (errors.length === 0) return filter as EventFilter
  const what = errors.map(each => `${each.pointer} ${each.detail}`).join('; ')
  throw new AtelierError('INVALID_INPUT', `The filter cannot be used: ${what}.`, { errors })
}

type Dialect = 'exact' | 'prefix' | 'suffix'

const COMPARE: Readonly<Record<Dialect, (held: string, wanted: string) => boolean>> = {
  exact: (held, wanted) => held === wanted,
  prefix: (held, wanted) => held.startsWith(wanted),
  suffix: (held, wanted) => held.endsWith(wanted),
}

class Check {
  #parts = 0

  filter(filter: unknown, pointer: string, depth: number): InputError[] {
    const entries = isObject(filter) ? Object.entries(filter) : []
    const [dialect, value] = entries[0] ?? []
    if (entries.length !== 1 || dialect === undefined)
      return [{ pointer, detail: 'must be an object with one of exact, prefix, suffix, all, any, not' }]
    if (depth > FILTER_DEPTH_MAX) return [{ pointer, detail: `is deeper than ${FILTER_DEPTH_MAX} levels` }]
    if (++this.#parts > FILTER_PARTS_MAX) return [this.#tooMany(pointer)]
    const below = `${pointer}/${dialect}`
    if (Object.hasOwn(COMPARE, dialect)) return this.#comparisons(value, below)
    if (dialect === 'not') return this.filter(value, below, depth + 1)
    if (dialect !== 'all' && dialect !== 'any')
      return [{ pointer: below, detail: 'is not a dialect; there are exact, prefix, suffix, all, any, not' }]
    if (!Array.isArray(value) || value.length === 0)
      return [{ pointer: below, detail: 'must be an array with a filter in it' }]
    const errors: InputError[] = []
    for (const [at, each] of value.entries()) {
      errors.push(...this.filter(each, `${below}/${at}`, depth + 1))
      if (this.#parts > FILTER_PARTS_MAX) break
    }
    return errors
  }

  #comparisons(value: unknown, pointer: string): InputError[] {
    const entries = isObject(value) ? Object.entries(value) : []
    if (entries.length === 0)
      return [
        { pointer, detail: 'must be an object of attribute names and the texts that they are compared with' },
      ]
    this.#parts += entries.length
    if (this.#parts > FILTER_PARTS_MAX) return [this.#tooMany(pointer)]
    return entries.flatMap(([name, text]) => {
      const at = `${pointer}/${name.slice(0, 64)}`
      if (!/^[a-z0-9]+$/.test(name)) return [{ pointer: at, detail: nameProblem(name)! }]
      return typeof text === 'string' && text !== ''
        ? []
        : [{ pointer: at, detail: 'must be a string that is not empty' }]
    })
  }

  #tooMany(pointer: string): InputError {
    return { pointer, detail: `is too much: a filter has at most ${FILTER_PARTS_MAX} parts` }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
