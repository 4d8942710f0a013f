import { cronRecurrence, parseCron, type Recurrence } from './cron.ts'
import { parseInterval } from './interval.ts'
import { zoneNamed } from './zone.ts'

/** What of a schedule says when: one of `cron`, `every` and `at`. */
interface When {
  readonly cron?: string
  readonly every?: string
  readonly at?: string
  readonly start?: string
  readonly end?: string
  readonly zone: string
}

const EVERY = /^@every\s+(.*)$/i

/**
 * When a schedule's runs are planned, whatever became of them. Intervals begin at `start`, or count from `createdAt`, so
 * that every node plans the same. Throws SyntaxError that tells what cannot be read.
 */
export function planOf(config: When, createdAt: number): Recurrence {
  const start = config.start === undefined ? undefined : Date.parse(config.start)
  const end = config.end === undefined ? Infinity : Date.parse(config.end)
  const series = seriesOf(config, start, createdAt)
  return {
    next(after) {
      const moment = series.next(start === undefined ? after : Math.max(after, start - 1))
      return moment === undefined || moment > end ? undefined : moment
    },
  }
}

function seriesOf(config: When, start: number | undefined, createdAt: number): Recurrence {
  if (config.at !== undefined) {
    const at = Date.parse(config.at)
    return { next: after => (after < at ? at : undefined) }
  }
  const text = config.every ?? EVERY.exec(config.cron?.trim() ?? '')?.[1]
  if (text !== undefined) {
    const ms = parseInterval(text)
    if (ms === undefined)
      throw new SyntaxError('is no interval of a second or more: write it as "@every 1h30m"')
    const first = start ?? createdAt + ms
    return { next: after => first + Math.max(0, Math.floor((after - first) / ms) + 1) * ms }
  }
  const zone = zoneNamed(config.zone)
  if (!zone) throw new SyntaxError(`cannot be reckoned: there is no time zone "${config.zone}"`)
  return cronRecurrence(parseCron(config.cron ?? ''), zone)
}

/** The last moment of a series in (`after`, `until`], or `undefined`. */
export function lastIn(series: Recurrence, after: number, until: number): number | undefined {
  let found = series.next(after)
  if (found === undefined || found > until) return undefined
  // Halving what lies between a moment that is known and the end: few questions, however many moments there are.
  let end = until
  while (end - found > 1) {
    const middle = found + Math.ceil((end - found) / 2)
    const next = series.next(middle - 1)
    if (next !== undefined && next <= until) found = next
    else end = middle - 1
    if (end <= found) break
  }
  const next = series.next(found)
  return next !== undefined && next <= until ? next : found
}
