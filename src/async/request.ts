import { AtelierError, type InputError, parseDuration } from '../core/index.ts'
import type { AcceptedCall, NewAsyncCall } from './async.ts'

/** What a request may say of an asynchronous call, in header fields. */
export type CallOptions = Pick<
  NewAsyncCall,
  'runAt' | 'orderingKey' | 'idempotencyKey' | 'maxAgeMs' | 'attemptsMax'
>

const KEY = /^[\x21-\x7e]{1,200}$/
const YEAR_MS = 366 * 86_400_000
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/

/** Whether `Prefer` holds `respond-async` (RFC 7240, 4.1). */
export function prefersAsync(prefer: string | undefined): boolean {
  return prefer !== undefined && /(?:^|,)\s*respond-async\s*(?:[,;]|$)/i.test(prefer)
}

/** The query without our own `async=1`, and whether it was there. `query` with its `?`, or empty. */
export function takeAsyncMark(query: string): { readonly rest: string; readonly isAsync: boolean } {
  if (!query.includes('async=')) return { rest: query, isAsync: false }
  const parts = query.slice(1).split('&')
  const kept = parts.filter(part => part !== 'async=1' && part !== 'async=true')
  return {
    rest: kept.length === 0 ? '' : `?${kept.join('&')}`,
    isAsync: kept.length < parts.length,
  }
}

/** Reads the fields by their lower-case names. Throws INVALID_INPUT with every one that cannot be. */
export function readAsyncOptions(field: (name: string) => string | undefined, now: number): CallOptions {
  const errors: InputError[] = []
  const read = <T>(name: string, parse: (text: string) => T | undefined, detail: string): T | undefined => {
    const text = field(name)
    if (text === undefined) return undefined
    const value = parse(text.trim())
    if (value === undefined) errors.push({ pointer: name, detail })
    return value
  }
  const key = (text: string): string | undefined => (KEY.test(text) ? text : undefined)
  const delayMs = read(
    'atelier-delay',
    within(0),
    'must be a time such as 500ms, 30s, 5m or 2h, at most 366d',
  )
  const at = read('atelier-run-at', timeOf, 'must be a time such as 2030-01-31T12:00:00Z')
  const options = {
    runAt: delayMs === undefined ? at : now + delayMs,
    orderingKey: read('atelier-ordering-key', key, 'must be 1 to 200 printable characters'),
    idempotencyKey: read('idempotency-key', key, 'must be 1 to 200 printable characters'),
    maxAgeMs: read('atelier-max-age', within(1), 'must be a time such as 30s, 5m or 2h, at most 366d'),
    attemptsMax: read('atelier-attempts', count, 'must be a whole number from 1 to 1000'),
  }
  if (delayMs !== undefined && at !== undefined)
    errors.push({ pointer: 'atelier-run-at', detail: 'and atelier-delay cannot both be meant' })
  if (options.runAt !== undefined && options.runAt > now + YEAR_MS)
    errors.push({ pointer: 'atelier-run-at', detail: 'must be within 366 days' })
  if (errors.length > 0)
    throw new AtelierError(
      'INVALID_INPUT',
      `${errors.map(error => `The header "${error.pointer}" ${error.detail}`).join('; ')}.`,
      { errors },
    )
  return options
}

/** Names of the fields that `readAsyncOptions` knows, beside `idempotency-key`. */
export const ASYNC_FIELDS: readonly string[] = [
  'atelier-delay',
  'atelier-run-at',
  'atelier-ordering-key',
  'atelier-max-age',
  'atelier-attempts',
]

/** Beside `location`, on the answer to an accepted call (RFC 7240, 3). */
export const ACCEPTED_FIELDS: readonly string[] = [
  'content-type',
  'application/json',
  'cache-control',
  'no-store',
  'preference-applied',
  'respond-async',
]

/** What is said of an accepted call: its id, and where to ask for it. */
export function acceptedBody({ id, duplicate }: AcceptedCall, url: string) {
  return { id, state: 'accepted', duplicate, url }
}

function within(least: number): (text: string) => number | undefined {
  return text => {
    const ms = parseDuration(text)
    return ms !== undefined && ms >= least && ms <= YEAR_MS ? ms : undefined
  }
}

function timeOf(text: string): number | undefined {
  const ms = RFC_3339.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

function count(text: string): number | undefined {
  return /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= 1_000 ? Number(text) : undefined
}
