/** What jobs may be told, and when they run next. Pure. */
import { Cron } from 'croner'
import type { DialectRecord } from '../../control/index.ts'
import { QinlingError } from './answers.ts'
import { shown } from './reading.ts'

export interface KeptJob {
  readonly name: string | null
  readonly functionId: string | null
  readonly functionAlias: string | null
  readonly functionVersion: number
  readonly functionInput: string | null
  readonly status: 'running' | 'paused' | 'done' | 'cancelled'
  readonly pattern: string | null
  /** Runs that are left; `null` for no end. */
  readonly count: number | null
  readonly firstAt: number
  readonly nextAt: number
}

const AHEAD_MS_MIN = 60_000
const ALIASES: ReadonlyMap<string, string> = new Map([
  ['@hourly', '0 * * * *'],
  ['@daily', '0 0 * * *'],
  ['@midnight', '0 0 * * *'],
  ['@weekly', '0 0 * * 0'],
  ['@monthly', '0 0 1 * *'],
  ['@yearly', '0 0 1 1 *'],
  ['@annually', '0 0 1 1 *'],
])

/** The first time after `after` that a pattern names: five fields, or six with seconds last, in UTC. 400 for what is none. */
export function nextTime(pattern: string, after: number): number {
  const fields = (ALIASES.get(pattern.trim().toLowerCase()) ?? pattern).trim().split(/\s+/)
  // Where Qinling's clients put seconds last, ours are first.
  const turned = fields.length === 6 ? [fields[5]!, ...fields.slice(0, 5)] : fields
  try {
    if (turned.length === 5 || turned.length === 6) {
      const cron = new Cron(turned.join(' '), { utcOffset: 0, paused: true, mode: '5-or-6-parts' })
      const next = cron.nextRun(new Date(after))
      if (next !== null) return next.getTime()
    }
  } catch {
    // Said below.
  }
  throw new QinlingError(400, `The specified pattern is not valid: ${shown(pattern)}`)
}

/** When a new job runs first, and how often: 400 for times that do not go together. */
export function planOf(
  pattern: string | undefined,
  firstAt: number | undefined,
  count: number | undefined,
  now: number,
): { readonly firstAt: number; readonly count: number | null } {
  const isRecurring = pattern !== undefined && pattern !== ''
  if (!isRecurring && firstAt === undefined)
    throw new QinlingError(400, 'pattern or first_execution_time must be specified.')
  if (firstAt !== undefined) needAhead(firstAt, now)
  if (isRecurring) {
    const from = firstAt === undefined ? now : firstAt - AHEAD_MS_MIN
    return { firstAt: nextTime(pattern, from), count: count || null }
  }
  if (count !== undefined && count > 1)
    throw new QinlingError(400, 'pattern must be provided if count is greater than 1.')
  return { firstAt: firstAt!, count: 1 }
}

export interface JobChange {
  readonly name?: string | undefined
  readonly functionInput?: string | undefined
  readonly status?: string | undefined
  readonly pattern?: string | undefined
  readonly nextAt?: number | undefined
}

/** A job as it is changed; 400 for changes that it cannot have. */
export function changedJob(job: KeptJob, change: JobChange, now: number): KeptJob {
  if (job.status === 'done' || job.status === 'cancelled')
    throw new QinlingError(400, 'Can not update a finished job.')
  const { name = job.name, functionInput = job.functionInput, pattern } = change
  if (pattern !== undefined) {
    if ((pattern === '') !== (job.pattern === null)) throw new QinlingError(400, 'Can not change job type.')
    if (pattern !== '') nextTime(pattern, now)
  }
  const status = statusOf(change.status, job.status)
  if (change.nextAt !== undefined) needAhead(change.nextAt, now)
  const changed = { ...job, name, functionInput, status, pattern: pattern || job.pattern }
  if (change.nextAt !== undefined) return { ...changed, nextAt: change.nextAt }
  if (job.status !== 'paused' || status !== 'running') return changed
  if (changed.pattern !== null) return { ...changed, nextAt: nextTime(changed.pattern, now) }
  needAhead(job.nextAt, now)
  return changed
}

/** A job after the run that was due: its next time, or its end. */
export function afterRun(job: KeptJob): KeptJob {
  const count = job.count === null ? null : job.count - 1
  if (count === 0 || job.pattern === null) return { ...job, count: 0, status: 'done' }
  return { ...job, count, nextAt: nextTime(job.pattern, job.nextAt) }
}

/** Jobs of a function that have not ended; `version` for one of its versions alone. */
export function runningJobsOf(
  jobs: readonly DialectRecord<KeptJob>[],
  functionId: string,
  version: number | undefined,
): readonly DialectRecord<KeptJob>[] {
  return jobs.filter(
    ({ body }) =>
      body.functionId === functionId &&
      (version === undefined || body.functionVersion === version) &&
      (body.status === 'running' || body.status === 'paused'),
  )
}

function statusOf(given: string | undefined, before: KeptJob['status']): KeptJob['status'] {
  if (given === undefined) return before
  if (given === 'running' || given === 'paused' || given === 'cancelled') return given
  throw new QinlingError(400, 'Invalid status.')
}

function needAhead(at: number, now: number): void {
  if (at < now + AHEAD_MS_MIN)
    throw new QinlingError(400, 'Execution time must be at least 1 minute in the future.')
}
