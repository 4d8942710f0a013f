import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite'
import { AtelierError, type Invocation, type LogLine, leastId } from '../core/index.ts'
import type { InvocationFilter, LogFilter, UsageRow } from './telemetry.ts'

/** Questions, as they travel to the worker. */
export type Ask =
  | { readonly kind: 'invocation'; readonly projectId: string; readonly id: string }
  | { readonly kind: 'attempts'; readonly projectId: string; readonly id: string }
  | {
      readonly kind: 'invocations'
      readonly projectId: string
      readonly filter: InvocationFilter
      readonly limit: number
      readonly cursor: string | undefined
    }
  | { readonly kind: 'logs'; readonly projectId: string; readonly filter: LogFilter; readonly limit: number }
  | {
      readonly kind: 'usage'
      readonly projectId: string
      readonly functionId: string | undefined
      readonly fromDay: string
      readonly toDay: string
    }

export interface Answers {
  readonly invocation: Invocation
  readonly attempts: readonly Invocation[]
  readonly invocations: { readonly items: readonly Invocation[]; readonly next?: string }
  readonly logs: readonly LogLine[]
  readonly usage: readonly UsageRow[]
}

const LINES_SEARCHED_MAX = 200_000 // for a text in a function's log: bounds the time that writing has to wait
const RECORDS_SEARCHED_MAX = 200_000
const ATTEMPTS_MAX = 1_000
const USAGE_ROWS_MAX = 100_000

type Row = Record<string, SQLOutputValue>
type Asker = <K extends keyof Answers>(question: Ask & { readonly kind: K }) => Answers[K]

/** Answers questions from the tables. */
export function reader(database: DatabaseSync): Asker {
  const answers: { readonly [K in keyof Answers]: (question: Ask & { readonly kind: K }) => Answers[K] } = {
    invocation: ({ projectId, id }) => oneInvocation(database, projectId, id),
    attempts: question => attempts(database, question),
    invocations: question => invocations(database, question),
    logs: question => logs(database, question),
    usage: question => usage(database, question),
  }
  return question => answers[question.kind](question)
}

/** Joins what a record's row leaves to `ids` and `sources`. */
const WHOLE = `join sources on sources.key = r.source join ids as p on p.key = r.project join ids as f on f.key = r.function`
const WHOLE_COLUMNS =
  'r.*, p.text as project_id, f.text as function_id, app_name, function_name, version, memory_mib, trigger'
const KEY = '(select key from ids where text = ?)'

function oneInvocation(database: DatabaseSync, projectId: string, id: string): Invocation {
  const row = database
    .prepare(`select ${WHOLE_COLUMNS} from invocations as r ${WHOLE} where r.id = ? and r.project = ${KEY}`)
    .get(id, projectId)
  if (row) return invocationOf(row)
  const newest = attempts(database, { kind: 'attempts', projectId, id }).at(-1)
  if (newest) return newest
  throw new AtelierError(
    'NOT_FOUND',
    `There is no invocation ${JSON.stringify(id.slice(0, 100))}, or its record is no longer kept.`,
  )
}

function attempts(
  database: DatabaseSync,
  { projectId, id }: Ask & { readonly kind: 'attempts' },
): readonly Invocation[] {
  return database
    .prepare(
      `select ${WHOLE_COLUMNS} from invocations as r ${WHOLE} where r.call = ? and r.project = ${KEY}
       order by r.attempt desc, r.id desc limit ${ATTEMPTS_MAX}`,
    )
    .all(id, projectId)
    .map(invocationOf)
    .toReversed()
}

function invocations(
  database: DatabaseSync,
  question: Ask & { readonly kind: 'invocations' },
): Answers['invocations'] {
  const { filter, limit } = question
  const where = new Conditions(`project = ${KEY}`, question.projectId)
  where.add(`function = ${KEY}`, filter.functionId)
  where.add('id >= ?', filter.sinceMs === undefined ? undefined : leastId(filter.sinceMs))
  where.add('id < ?', filter.untilMs === undefined ? undefined : leastId(filter.untilMs))
  where.add('id < ?', question.cursor === undefined ? undefined : readCursor(question.cursor))
  // These have no index: they are looked for among the newest that the others leave.
  const rest = new Conditions('1 = 1')
  rest.add('app_name = ?', filter.appName)
  rest.add('function_name = ?', filter.functionName)
  rest.add('version = ?', filter.version)
  rest.add('status = ?', filter.status)
  const sql = `select ${WHOLE_COLUMNS} from (select * from invocations where ${where.sql} order by id desc limit ${RECORDS_SEARCHED_MAX}) as r
    ${WHOLE} where ${rest.sql} order by r.id desc limit ?`
  const rows = database.prepare(sql).all(...where.values, ...rest.values, limit + 1)
  const items = rows.slice(0, limit).map(invocationOf)
  const last = rows[limit - 1]
  return rows.length > limit && last ? { items, next: writeCursor(String(last['id'])) } : { items }
}

function logs(
  database: DatabaseSync,
  { projectId, filter, limit }: Ask & { readonly kind: 'logs' },
): readonly LogLine[] {
  const where = new Conditions('project_id = ?', projectId)
  where.add('function_id = ?', filter.functionId)
  where.add('invocation_id = ?', filter.invocationId)
  const rest = new Conditions('1 = 1')
  rest.add('version = ?', filter.version)
  rest.add('at >= ?', filter.sinceMs)
  rest.add('instr(text, ?) > 0', filter.contains)
  const sql = `select * from (select * from logs where ${where.sql} order by seq desc limit ${LINES_SEARCHED_MAX})
    where ${rest.sql} order by seq desc limit ?`
  return database
    .prepare(sql)
    .all(...where.values, ...rest.values, limit)
    .map(lineOf)
    .toReversed()
}

function usage(database: DatabaseSync, question: Ask & { readonly kind: 'usage' }): readonly UsageRow[] {
  const where = new Conditions('project_id = ?', question.projectId)
  where.add('day >= ?', question.fromDay)
  where.add('day < ?', question.toDay)
  where.add('function_id = ?', question.functionId)
  const sql = `select day, function_id as functionId, app_name as appName, function_name as functionName, calls, errors,
    billed_ms as billedMs, memory_mib_ms as memoryMiBMs, bytes_in as bytesIn, bytes_out as bytesOut
    from usage where ${where.sql} order by day, app_name, function_name limit ${USAGE_ROWS_MAX}`
  return database.prepare(sql).all(...where.values) as unknown as UsageRow[]
}

/** Conditions that all must hold; one whose value is `undefined` is no condition. */
class Conditions {
  readonly #parts: string[] = []
  readonly values: SQLInputValue[] = []

  constructor(sql: string, ...values: SQLInputValue[]) {
    this.add(sql, ...values)
  }

  get sql(): string {
    return this.#parts.join(' and ')
  }

  add(sql: string, ...values: readonly (SQLInputValue | undefined)[]): void {
    if (values.includes(undefined)) return
    this.#parts.push(sql)
    this.values.push(...(values as SQLInputValue[]))
  }
}

function invocationOf(row: Row): Invocation {
  const optional = {
    attempt: row['attempt'],
    heldMs: row['held_ms'],
    fault: row['fault'],
    errorCode: row['error_code'],
    errorMessage: row['error_message'],
    instanceId: row['instance_id'],
    memoryPeakBytes: row['memory_peak_bytes'],
    traceparent: row['traceparent'],
  }
  const record = {
    id: row['call'] ?? row['id'],
    projectId: row['project_id'],
    functionId: row['function_id'],
    functionName: row['function_name'],
    appName: row['app_name'],
    version: row['version'],
    trigger: row['trigger'],
    status: row['status'],
    httpStatus: row['http_status'],
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== null)),
    cold: row['cold'] === 1,
    startedAt: row['started_at'],
    queuedMs: row['queued_ms'],
    startingMs: row['starting_ms'],
    initialisingMs: row['initialising_ms'],
    runningMs: row['running_ms'],
    billedMs: row['billed_ms'],
    memoryMiB: row['memory_mib'],
    bytesIn: row['bytes_in'],
    bytesOut: row['bytes_out'],
  }
  return record as unknown as Invocation
}

function lineOf(row: Row): LogLine {
  const line = {
    at: row['at'],
    projectId: row['project_id'],
    functionId: row['function_id'],
    version: row['version'],
    instanceId: row['instance_id'],
    ...(row['invocation_id'] !== null && { invocationId: row['invocation_id'] }),
    stream: row['stream'],
    text: row['text'],
  }
  return line as unknown as LogLine
}

function writeCursor(id: string): string {
  return Buffer.from(id).toString('base64url')
}

function readCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString()
  if (/^[\w-]{1,64}$/.test(id)) return id
  throw new AtelierError(
    'INVALID_INPUT',
    'The cursor is not one that this list gave out; start again without it.',
    {
      errors: [{ pointer: 'cursor', detail: 'is not a cursor of this list' }],
    },
  )
}
