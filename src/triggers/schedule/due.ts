import { createHash } from 'node:crypto'
import type { ScheduleConfig } from './config.ts'
import type { Recurrence } from './cron.ts'
import { lastIn } from './plan.ts'

/** A run that begins later than this was missed: what is late by less is only late. */
export const LATE_MS_MAX = 60_000
/** Missed runs that `all` makes up for. */
export const MISSED_MAX = 100
const LOOK_MAX = 2_000 // missed runs that are counted one by one, before the last ones are looked for from the end

export interface DueInput {
  readonly triggerId: string
  readonly series: Recurrence
  readonly config: Pick<ScheduleConfig, 'missed' | 'jitterMs'>
  /** All planned up to here was seen to. */
  readonly through: number
  readonly now: number
  /** Runs that may still be, by `count`. */
  readonly remaining: number
}

export interface Due {
  /** Planned times of the runs to make now, oldest first. */
  readonly runs: readonly number[]
  /** All planned up to here is seen to when they are made. */
  readonly through: number
  /** When to look again; `undefined` when there will be no more runs. */
  readonly nextAt: number | undefined
}

/** Which runs a schedule makes now. Pure. */
export function dueRuns(input: DueInput): Due {
  const { series, config, now, remaining } = input
  const runs: number[] = []
  let { through } = input
  const missedUntil = now - LATE_MS_MAX - config.jitterMs
  if ((series.next(through) ?? Infinity) <= missedUntil) {
    if (config.missed === 'once') {
      // One for all that passed, and not another one beside it for what is only late.
      const last = lastIn(series, through, now - config.jitterMs)!
      runs.push(last)
      through = last
    } else {
      if (config.missed === 'all') runs.push(...lastRuns(series, through, missedUntil))
      through = missedUntil
    }
  }
  let next = series.next(through)
  while (next !== undefined && startOf(input, next) <= now && runs.length < MISSED_MAX + LOOK_MAX) {
    runs.push(next)
    through = next
    next = series.next(through)
  }
  const made = runs.slice(0, Math.max(0, remaining))
  const isOver = next === undefined || remaining - made.length <= 0
  return { runs: made, through, nextAt: isOver ? undefined : startOf(input, next!) }
}

/** When a planned run begins: later by a jitter that depends on nothing but trigger and time, so all nodes agree. */
export function startOf(
  { triggerId, config }: Pick<DueInput, 'triggerId' | 'config'>,
  planned: number,
): number {
  if (config.jitterMs === 0) return planned
  const hash = createHash('sha256').update(`${triggerId} ${planned}`).digest()
  return planned + (hash.readUIntBE(0, 6) % (config.jitterMs + 1))
}

/** The last `MISSED_MAX` moments in (`after`, `until`], oldest first. */
function lastRuns(series: Recurrence, after: number, until: number): number[] {
  const found: number[] = []
  for (let next = series.next(after); next !== undefined && next <= until; next = series.next(next)) {
    found.push(next)
    if (found.length > LOOK_MAX) return lastRunsFromEnd(series, after, until)
  }
  return found.slice(-MISSED_MAX)
}

function lastRunsFromEnd(series: Recurrence, after: number, until: number): number[] {
  const found: number[] = []
  let end = until
  while (found.length < MISSED_MAX) {
    const last = lastIn(series, after, end)
    if (last === undefined) break
    found.unshift(last)
    end = last - 1
  }
  return found
}
