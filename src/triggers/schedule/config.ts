import type { Static } from 'typebox'
import { type InputError, Type } from '../../core/index.ts'
import type { CheckedConfig } from '../kind.ts'
import { parseInterval } from './interval.ts'
import { planOf } from './plan.ts'
import { zoneNamed } from './zone.ts'

const DATA_BYTES_MAX = 64 * 1024
const JITTER_MS_MAX = 3_600_000
const PAST_MS_MAX = 60_000 // how long ago a one-shot may lie: the request took its time

const Moment = (description: string) =>
  Type.String({ format: 'date-time', maxLength: 40, description: `${description} RFC 3339.` })

/** What a schedule is told. */
export const ScheduleSchema = Type.Object(
  {
    cron: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description:
          'When: five fields (minute hour day month weekday), six with seconds first, a name such as `@hourly`, or `@every 1h30m`.',
      }),
    ),
    every: Type.Optional(
      Type.String({ maxLength: 40, description: 'Instead of `cron`: an interval such as `90s` or `1h30m`.' }),
    ),
    at: Type.Optional(Moment('Instead of `cron`: once, then.')),
    zone: Type.Optional(
      Type.String({ maxLength: 64, description: 'Time zone of `cron`, as IANA names it. Default `UTC`.' }),
    ),
    start: Type.Optional(Moment('No run before it; intervals begin with it.')),
    end: Type.Optional(Moment('No run after it.')),
    count: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1e9, description: 'So many runs, then no more.' }),
    ),
    jitterMs: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: JITTER_MS_MAX,
        description: 'Each run begins later by up to so much, the same on every node. Default 0.',
      }),
    ),
    missed: Type.Optional(
      Type.Enum(['skip', 'once', 'all'], {
        description:
          'What becomes of runs whose time passed while nothing ran: none of them, one for all, or each (the last 100). Default `once`.',
      }),
    ),
    overlap: Type.Optional(
      Type.Enum(['allow', 'skip', 'queue', 'cancel'], {
        description:
          'When the run before has not ended: run beside it, leave this one out, let one wait, or call the old one off. Default `allow`.',
      }),
    ),
    data: Type.Optional(Type.Unknown({ description: 'What the function gets, as JSON.' })),
    text: Type.Optional(Type.String({ description: 'Instead of `data`: a text.' })),
    contentType: Type.Optional(
      Type.String({
        maxLength: 200,
        pattern: '^[\\x21-\\x7e]+/[\\x20-\\x7e]+$',
        description: 'The type of `text`. Default `text/plain; charset=utf-8`.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description: 'A clock.',
    examples: [
      { cron: '0 3 * * *', zone: 'Europe/Berlin' },
      { cron: '@every 1h30m', overlap: 'skip', data: { table: 'orders' } },
      { at: '2027-01-01T00:00:00Z' },
    ],
  },
)

export type ScheduleInput = Static<typeof ScheduleSchema>

/** With nothing left open. */
export interface ScheduleConfig extends ScheduleInput {
  readonly zone: string
  readonly jitterMs: number
  readonly missed: 'skip' | 'once' | 'all'
  readonly overlap: 'allow' | 'skip' | 'queue' | 'cancel'
}

/** Completes a configuration that fits the schema, or says what is wrong with it. */
export function checkSchedule(input: ScheduleInput, now: number): CheckedConfig {
  const errors: InputError[] = []
  const add = (pointer: string, detail: string) => errors.push({ pointer, detail })
  const given = (['cron', 'every', 'at'] as const).filter(each => input[each] !== undefined)
  if (given.length !== 1) add(given[1] ?? 'cron', 'exactly one of cron, every and at says when')
  if (input.zone !== undefined && !zoneNamed(input.zone))
    add('zone', `is no time zone that is known here: write it as "Europe/Berlin"`)
  if (input.every !== undefined && parseInterval(input.every) === undefined)
    add('every', 'is no interval of a second or more: write it as "90s" or "1h30m"')
  if (input.at !== undefined && Date.parse(input.at) < now - PAST_MS_MAX) add('at', 'lies in the past')
  const start = input.start === undefined ? -Infinity : Date.parse(input.start)
  const end = input.end === undefined ? Infinity : Date.parse(input.end)
  if (end < start) add('end', 'comes before start')
  if (input.text !== undefined && input.data !== undefined) add('text', 'goes not together with data')
  if (input.contentType !== undefined && input.text === undefined)
    add('contentType', 'is for text alone: data is JSON')
  if (Buffer.byteLength(input.text ?? JSON.stringify(input.data ?? null)) > DATA_BYTES_MAX)
    add(input.text === undefined ? 'data' : 'text', `has more than ${DATA_BYTES_MAX} bytes`)
  if (errors.length > 0) return { errors }

  const config: ScheduleConfig = { zone: 'UTC', jitterMs: 0, missed: 'once', overlap: 'allow', ...input }
  try {
    const plan = planOf(config, now)
    if (plan.next(Math.max(now - PAST_MS_MAX, start - 1)) === undefined)
      add(given[0]!, 'never comes to pass from now on')
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    add(given[0]!, error.message)
  }
  return errors.length > 0 ? { errors } : { config: { ...config } }
}
