import { Cron } from 'croner'
import type { Zone } from './zone.ts'

/** A series of moments. Pure. */
export interface Recurrence {
  /** The first moment after `after`; `undefined` when there is none any more. */
  next(after: number): number | undefined
}

const PATTERNS_MAX = 2_000 // parsed expressions that are kept: ten thousand triggers often share a dozen
const CHANGES_MAX = 1_000 // of the offset that are looked across for one moment

/**
 * A cron expression in a zone. What the wall clock does is Vixie's: an expression with a fixed hour and minute runs once
 * when its time is skipped (right after the jump) and once when it comes twice (the first time); one whose minute or
 * hour begins with `*` goes by the time that passes: nothing when an hour is skipped, and on through a repeated one.
 */
export function cronRecurrence(expression: CronExpression, zone: Zone): Recurrence {
  return expression.isFixed ? fixedTimes(expression, zone) : intervals(expression, zone)
}

export interface CronExpression {
  /** Whether neither minute nor hour begins with `*`. */
  readonly isFixed: boolean
  /** The next time after `wall` that a wall clock shows it. */
  nextWall(wall: number): number | undefined
}

const NICKNAMES: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
])

/** Reads an expression of five or six fields, or a nickname. Throws SyntaxError whose message names the field. */
export function parseCron(text: string): CronExpression {
  const pattern = (NICKNAMES.get(text.trim().toLowerCase()) ?? text).trim().replace(/\s+/g, ' ')
  const known = parsed.get(pattern)
  if (known) return known
  if (pattern.startsWith('@'))
    throw new SyntaxError(`there is no ${pattern}; there are ${[...NICKNAMES.keys()].join(', ')} and @every`)
  const fields = pattern.split(' ')
  if (fields.length !== 5 && fields.length !== 6)
    throw new SyntaxError(
      `has ${fields.length} fields: it needs five (minute hour day month weekday), or six with seconds first`,
    )
  const cron = tryCron(pattern) ?? throwBadField(fields)
  const [minute, hour] = fields.slice(-5) as [string, string]
  const expression: CronExpression = {
    isFixed: !/^[*?]/.test(minute) && !/^[*?]/.test(hour),
    nextWall: wall => cron.nextRun(new Date(wall))?.getTime(),
  }
  if (parsed.size >= PATTERNS_MAX) parsed.clear()
  parsed.set(pattern, expression)
  return expression
}

const parsed = new Map<string, CronExpression>()

const FIELDS = ['second', 'minute', 'hour', 'day', 'month', 'weekday'] as const

function throwBadField(fields: readonly string[]): never {
  const names = FIELDS.slice(-fields.length)
  const bad = fields.findIndex(
    (field, i) => !tryCron(fields.map((_, j) => (i === j ? field : '*')).join(' ')),
  )
  if (bad < 0) throw new SyntaxError('has fields that do not go together')
  throw new SyntaxError(`its field for the ${names[bad]}, ${JSON.stringify(fields[bad])}, cannot be read`)
}

/** Reckons in UTC: the wall clock of whatever zone. */
function tryCron(pattern: string): Cron | undefined {
  try {
    return new Cron(pattern, { utcOffset: 0, paused: true, mode: '5-or-6-parts' })
  } catch {
    return undefined
  }
}

function fixedTimes(expression: CronExpression, zone: Zone): Recurrence {
  return {
    next(after) {
      let wall: number | undefined = after + zone.offsetAt(after)
      for (;;) {
        wall = expression.nextWall(wall)
        if (wall === undefined) return undefined
        const moment = zone.momentOf(wall)
        if (moment > after) return moment
      }
    },
  }
}

function intervals(expression: CronExpression, zone: Zone): Recurrence {
  return {
    next(after) {
      let from = after
      let seen = after
      let offset = zone.offsetAt(after)
      for (let changes = 0; changes < CHANGES_MAX; changes++) {
        const wall = expression.nextWall(from + offset)
        if (wall === undefined) return undefined
        const change = zone.nextChange(seen, wall - offset)
        if (change === undefined) return wall - offset
        // From the change on the wall clock shows other times; the one that it shows right then counts too.
        from = change - 1
        seen = change
        offset = zone.offsetAt(change)
      }
      return undefined
    },
  }
}
