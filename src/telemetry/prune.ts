import type { DatabaseSync } from 'node:sqlite'
import { leastId } from '../core/index.ts'

/** How long, and how much of it, is kept. */
export interface Retention {
  /** Records and logs older than this go. @default 7 days */
  readonly ageMs: number
  /** Usage sums older than this go. @default 400 days */
  readonly usageAgeMs: number
  /** Size of the whole file; the oldest records and logs go first. @default 2 GiB */
  readonly bytesMax: number
  /** Records of one function, so that a busy one does not push out the others'. @default 100,000 */
  readonly recordsPerFunctionMax: number
  /** Log of one function. @default 64 MiB */
  readonly logBytesPerFunctionMax: number
}

const ROWS_AT_ONCE = 5_000 // removed in one step: some 50 ms in which nothing is written
const PAGES_AT_ONCE = 2_000
const FUNCTIONS_AT_ONCE = 50

/** One short step of tidying; true when another one should follow. */
export function prune(database: DatabaseSync, retention: Retention, nowMs: number): boolean {
  database.exec('begin immediate')
  let removed = 0
  try {
    removed += tooOld(database, retention, nowMs)
    removed += tooMuchOfOne(database, retention)
    if (usedBytes(database) > retention.bytesMax) removed += oldest(database)
    database.exec('commit')
  } catch (error) {
    if (database.isTransaction) database.exec('rollback')
    throw error
  }
  database.exec(`pragma incremental_vacuum(${PAGES_AT_ONCE})`)
  return removed >= ROWS_AT_ONCE / 10
}

function tooOld(database: DatabaseSync, { ageMs, usageAgeMs }: Retention, nowMs: number): number {
  const before = nowMs - ageMs
  const records = removeRecords(database, 'id < ?', leastId(before), ROWS_AT_ONCE)
  // Lines come nearly in order of time, so the oldest by number are the oldest; looking no further needs no index.
  const newest = database
    .prepare(
      `select max(seq) as seq from (select seq, at from logs order by seq limit ${ROWS_AT_ONCE}) where at < ?`,
    )
    .get(before)?.['seq']
  const lines = typeof newest === 'number' ? removeLines(database, 'seq <= ?', newest, ROWS_AT_ONCE) : 0
  const day = new Date(nowMs - usageAgeMs).toISOString().slice(0, 10)
  database.prepare('delete from usage where day < ?').run(day)
  return records + lines
}

function tooMuchOfOne(database: DatabaseSync, retention: Retention): number {
  const { recordsPerFunctionMax: records, logBytesPerFunctionMax: bytes } = retention
  const greedy = database
    .prepare(`select * from kept where records > ? or log_bytes > ? limit ${FUNCTIONS_AT_ONCE}`)
    .all(records, bytes)
  let removed = 0
  for (const row of greedy) {
    const id = String(row['function_id'])
    const surplus = Number(row['records']) - records
    if (surplus > 0) removed += removeRecordsOf(database, id, Math.min(surplus, ROWS_AT_ONCE))
    const surplusBytes = Number(row['log_bytes']) - bytes
    if (surplusBytes > 0) {
      const average = database
        .prepare(
          'select avg(length(text) + 200) as bytes from (select text from logs where function_id = ? order by seq limit 1000)',
        )
        .get(id)?.['bytes']
      const lines = Math.ceil(surplusBytes / Math.max(1, Number(average ?? 1)))
      removed += removeLines(database, 'function_id = ?', id, Math.min(lines, ROWS_AT_ONCE))
    }
  }
  return removed
}

function oldest(database: DatabaseSync): number {
  return removeRecords(database, '1 = ?', 1, ROWS_AT_ONCE) + removeLines(database, '1 = ?', 1, ROWS_AT_ONCE)
}

/** The oldest that match, taken off what is counted of their functions. */
function removeRecords(database: DatabaseSync, where: string, value: number | string, limit: number): number {
  const gone = database
    .prepare(
      `delete from invocations where id in (select id from invocations where ${where} order by id limit ?)
         returning (select text from ids where key = function) as function_id`,
    )
    .all(value, limit)
  for (const [id, count] of counted(gone, () => 1))
    database.prepare('update kept set records = max(0, records - ?) where function_id = ?').run(count, id)
  return gone.length
}

/** The oldest records of one function: under many calls this is as frequent as writing, so no row is looked at twice. */
function removeRecordsOf(database: DatabaseSync, functionId: string, limit: number): number {
  const key = database.prepare('select key from ids where text = ?').get(functionId)?.['key']
  if (key === undefined) return 0
  const last = database
    .prepare('select id from invocations where function = ? order by id limit 1 offset ?')
    .get(key, limit - 1)?.['id']
  const { changes } =
    last === undefined
      ? database.prepare('delete from invocations where function = ?').run(key)
      : database.prepare('delete from invocations where function = ? and id <= ?').run(key, last)
  database
    .prepare('update kept set records = max(0, records - ?) where function_id = ?')
    .run(changes, functionId)
  return Number(changes)
}

function removeLines(database: DatabaseSync, where: string, value: number | string, limit: number): number {
  const gone = database
    .prepare(
      `delete from logs where seq in (select seq from logs where ${where} order by seq limit ?) returning function_id, length(text) + 200 as bytes`,
    )
    .all(value, limit)
  for (const [id, bytes] of counted(gone, row => Number(row['bytes'])))
    database.prepare('update kept set log_bytes = max(0, log_bytes - ?) where function_id = ?').run(bytes, id)
  return gone.length
}

function counted(rows: readonly Record<string, unknown>[], weight: (row: Record<string, unknown>) => number) {
  const sums = new Map<string, number>()
  for (const row of rows) {
    const id = String(row['function_id'])
    sums.set(id, (sums.get(id) ?? 0) + weight(row))
  }
  return sums
}

function usedBytes(database: DatabaseSync): number {
  const number = (name: string) => Number(database.prepare(`pragma ${name}`).get()?.[name])
  return (number('page_count') - number('freelist_count')) * number('page_size')
}
