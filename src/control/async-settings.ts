import {
  ASYNC_SETTINGS_DEFAULT,
  type AsyncSettings,
  type AttemptFailure,
  type Destination,
  isName,
  type RetryPolicy,
} from '../core/index.ts'
import type { Problems } from './validate.ts'

/** What a function itself says; the rest is as by default, also when the defaults change. */
export type AsyncOwn = Partial<Omit<AsyncSettings, 'retry'>> & { readonly retry?: Partial<RetryPolicy> }

/** A merge patch (RFC 7396) of it: `null` goes back to the default, what is absent stays. */
export type AsyncChange = {
  readonly [K in keyof Omit<AsyncSettings, 'retry'>]?: AsyncSettings[K] | null
} & { readonly retry?: { readonly [K in keyof RetryPolicy]?: RetryPolicy[K] | null } | null }

const YEAR_MS = 366 * 86_400_000
const URL_CHARACTERS_MAX = 2_048
const FAILURES: readonly AttemptFailure[] = ['error', 'status', 'timeout', 'crash', 'platform']

/** Field by field: from, to, and whether only whole numbers are meant. */
const RANGES = {
  maxAgeMs: [1_000, YEAR_MS, true],
  resultKeptMs: [0, YEAR_MS, true],
  concurrencyMax: [1, 10_000, true],
  queuedMax: [0, 10_000_000, true],
} as const
const RETRY_RANGES = {
  attemptsMax: [1, 1_000, true],
  delayMs: [0, YEAR_MS, true],
  factor: [1, 100, false],
  delayMsMax: [0, YEAR_MS, true],
  jitter: [0, 1, false],
} as const

/** What holds for a function that says `own`. */
export function complete(own: AsyncOwn): AsyncSettings {
  return { ...ASYNC_SETTINGS_DEFAULT, ...own, retry: { ...ASYNC_SETTINGS_DEFAULT.retry, ...own.retry } }
}

/** `own` with the change, without what is said no more. */
export function changed(own: AsyncOwn, change: AsyncChange): AsyncOwn {
  const { retry: ownRetry, ...ownRest } = own
  const { retry: newRetry, ...newRest } = change
  const retry = newRetry === null ? {} : merged(ownRetry ?? {}, newRetry ?? {})
  return { ...merged(ownRest, newRest), ...(Object.keys(retry).length > 0 && { retry }) }
}

/** As text for the store; `null` when nothing is said. */
export function asyncJson(own: AsyncOwn): string | null {
  return Object.keys(own).length === 0 ? null : JSON.stringify(own)
}

/** Adds what is wrong with settings as they would hold. */
export function checkAsync(settings: AsyncSettings, problems: Problems): void {
  checkNumbers('async', settings, RANGES, problems)
  checkNumbers('async.retry', settings.retry, RETRY_RANGES, problems)
  if (typeof settings.paused !== 'boolean') problems.add('async.paused', 'must be true or false')
  const { on } = settings.retry
  if (!Array.isArray(on) || on.some(each => !FAILURES.includes(each)))
    problems.add('async.retry.on', `must be a list of ${FAILURES.join(', ')}`)
  if (settings.onSuccess) checkDestination('async.onSuccess', settings.onSuccess, problems)
  if (settings.onFailure) checkDestination('async.onFailure', settings.onFailure, problems)
}

/** Whether it exists is seen when it is used: it may be made later, and deleted at any time. */
function checkDestination(field: string, to: Destination, problems: Problems): void {
  if (to.kind === 'function') {
    if (!isName(to.app)) problems.add(`${field}.app`, 'is not the name of an app')
    if (!isName(to.function)) problems.add(`${field}.function`, 'is not the name of a function')
  } else if (to.kind === 'topic') {
    if (!isName(to.topic)) problems.add(`${field}.topic`, 'is not the name of a topic')
  } else if (to.kind === 'webhook') {
    const url = URL.canParse(to.url) ? new URL(to.url) : undefined
    if (!url || !/^https?:$/.test(url.protocol) || to.url.length > URL_CHARACTERS_MAX)
      problems.add(`${field}.url`, 'must be an http or https address')
    else if (url.username !== '' || url.password !== '')
      problems.add(
        `${field}.url`,
        'must not hold a user and password: everybody who may read it would see them',
      )
  } else problems.add(`${field}.kind`, 'must be "function", "webhook" or "topic"')
}

function checkNumbers<T extends object>(
  field: string,
  values: T,
  ranges: Readonly<Partial<Record<keyof T, readonly [number, number, boolean]>>>,
  problems: Problems,
): void {
  for (const [name, range] of Object.entries(ranges) as [keyof T & string, [number, number, boolean]][]) {
    const [min, max, whole] = range
    const value: unknown = values[name]
    const fits = typeof value === 'number' && value >= min && value <= max
    if (!fits || (whole && !Number.isInteger(value)))
      problems.add(`${field}.${name}`, `must be a ${whole ? 'whole ' : ''}number from ${min} to ${max}`)
  }
}

function merged<T extends object>(before: T, change: object): Partial<T> {
  const entries = Object.entries({ ...before, ...change })
  return Object.fromEntries(
    entries.filter(([, value]) => value !== null && value !== undefined),
  ) as Partial<T>
}
