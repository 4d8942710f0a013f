import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { newId } from '../core/index.ts'
import { type Batch, COLUMNS, Column, type PackedRecords, type Source } from './batch.ts'

const DAY_MS = 86_400_000
const ROWS_AT_ONCE = 10 // one statement for several rows: a third less time for each
const RECORD_COLUMNS = 24

/** Writes batches, each in one transaction: the records, the lines, and what they add to the sums. */
export function writer(database: DatabaseSync): (batch: Batch) => void {
  const insertRecord = database.prepare(recordInsert(1))
  const insertRecords = database.prepare(recordInsert(ROWS_AT_ONCE))
  const insertLine = database.prepare('insert into logs values (null, ?, ?, ?, ?, ?, ?, ?, ?)')
  const addUsage = database.prepare(
    `insert into usage values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     on conflict (project_id, day, function_id) do update set app_name = excluded.app_name,
       function_name = excluded.function_name, calls = calls + excluded.calls, errors = errors + excluded.errors,
       billed_ms = billed_ms + excluded.billed_ms, memory_mib_ms = memory_mib_ms + excluded.memory_mib_ms,
       bytes_in = bytes_in + excluded.bytes_in, bytes_out = bytes_out + excluded.bytes_out`,
  )
  const addKept = database.prepare(
    `insert into kept values (?, ?, ?) on conflict (function_id) do update set
       records = records + excluded.records, log_bytes = log_bytes + excluded.log_bytes`,
  )
  const keysOf = sourceKeys(database)

  return ({ records, lines }) => {
    const kept = new Map<string, { records: number; logBytes: number }>()
    const keptOf = (functionId: string) => {
      let entry = kept.get(functionId)
      if (!entry) kept.set(functionId, (entry = { records: 0, logBytes: 0 }))
      return entry
    }
    database.exec('begin immediate')
    try {
      insertAll(records, records.sources.map(keysOf), insertRecord, insertRecords)
      for (let i = 0; i < records.count; i++)
        keptOf(records.sources[records.numbers[i * COLUMNS + Column.source]!]!.functionId).records++
      for (const l of lines) {
        const { invocationId = null } = l
        insertLine.run(
          l.at,
          l.projectId,
          l.functionId,
          l.version,
          l.instanceId,
          invocationId,
          l.stream,
          l.text,
        )
        keptOf(l.functionId).logBytes += l.text.length + LINE_OVERHEAD_BYTES
      }
      for (const u of sums(records))
        addUsage.run(
          u.source.projectId,
          new Date(u.day * DAY_MS).toISOString().slice(0, 10),
          u.source.functionId,
          u.source.appName,
          u.source.functionName,
          u.calls,
          u.errors,
          u.billedMs,
          u.billedMs * u.source.memoryMiB,
          u.bytesIn,
          u.bytesOut,
        )
      for (const [functionId, count] of kept) addKept.run(functionId, count.records, count.logBytes)
      database.exec('commit')
    } catch (error) {
      if (database.isTransaction) database.exec('rollback')
      throw error
    }
  }
}

/** What a line costs beside its text: the row, and its places in two indexes. */
export const LINE_OVERHEAD_BYTES = 200

function recordInsert(rows: number): string {
  const row = `(${Array.from({ length: RECORD_COLUMNS }, () => '?').join()})`
  return `insert or ignore into invocations values ${Array.from({ length: rows }, () => row).join()}`
}

const DIRECT = [null, null, null] as const

interface SourceKeys {
  readonly project: number
  readonly function: number
  readonly source: number
}

/** The numbers that stand for a source in the records' rows; given to it when it is new. */
function sourceKeys(database: DatabaseSync): (source: Source) => SourceKeys {
  const addId = database.prepare('insert or ignore into ids values (null, ?)')
  const findId = database.prepare('select key from ids where text = ?')
  const columns = 'project = ? and function = ? and app_name = ? and function_name = ? and version = ?'
  const findSource = database.prepare(
    `select key from sources where ${columns} and memory_mib = ? and trigger = ?`,
  )
  const addSource = database.prepare('insert into sources values (null, ?, ?, ?, ?, ?, ?, ?)')
  const idOf = (text: string) => {
    let row = findId.get(text)
    if (!row) {
      addId.run(text)
      row = findId.get(text)!
    }
    return Number(row['key'])
  }
  return ({ projectId, functionId, appName, functionName, version, memoryMiB, trigger }) => {
    const project = idOf(projectId)
    const of = idOf(functionId)
    const values = [project, of, appName, functionName, version, memoryMiB, trigger] as const
    const source = findSource.get(...values)?.['key'] ?? addSource.run(...values).lastInsertRowid
    return { project, function: of, source: Number(source) }
  }
}

function insertAll(
  { count, numbers, bytes, words }: PackedRecords,
  keys: readonly SourceKeys[],
  one: StatementSync,
  several: StatementSync,
): void {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length) // a plain Uint8Array once it has travelled
  let used = 0
  const take = (length: number): string => text.toString('latin1', used, (used += length))
  const values: SQLInputValue[] = []
  for (let i = 0; i < count; i++) {
    const at = i * COLUMNS
    const number = (column: number): number => numbers[at + column]!
    const word = (column: number): string | null => {
      const place = number(column)
      return place === 0 ? null : words[place]!
    }
    const { project, function: of, source } = keys[number(Column.source)]!
    const id = take(number(Column.idLength))
    const traceparentLength = number(Column.traceparentLength)
    const peak = number(Column.memoryPeakBytes)
    const attempt = number(Column.attempt)
    values.push(
      attempt === 0 ? id : newId(number(Column.startedAt)),
      project,
      of,
      source,
      word(Column.status),
      number(Column.httpStatus),
      word(Column.fault),
      word(Column.errorCode),
      word(Column.errorMessage),
      number(Column.cold),
      word(Column.instanceId),
      number(Column.startedAt),
      number(Column.queuedMs),
      number(Column.startingMs),
      number(Column.initialisingMs),
      number(Column.runningMs),
      number(Column.billedMs),
      Number.isNaN(peak) ? null : peak,
      number(Column.bytesIn),
      number(Column.bytesOut),
      traceparentLength === 0 ? null : take(traceparentLength),
      ...(attempt === 0 ? DIRECT : [id, attempt, number(Column.heldMs)]),
    )
    if (values.length === ROWS_AT_ONCE * RECORD_COLUMNS) several.run(...values.splice(0))
  }
  for (let i = 0; i < values.length; i += RECORD_COLUMNS) one.run(...values.slice(i, i + RECORD_COLUMNS))
}

interface Sum {
  readonly source: Source
  readonly day: number
  calls: number
  errors: number
  billedMs: number
  bytesIn: number
  bytesOut: number
}

/** The records' sums by source and UTC day. A refused call never ran: it is no call here. */
function sums({ count, numbers, sources, words }: PackedRecords): readonly Sum[] {
  const ofSource = sources.map((): Sum[] => [])
  for (let at = 0; at < count * COLUMNS; at += COLUMNS) {
    const status = words[numbers[at + Column.status]!]
    if (status === 'refused') continue
    const place = numbers[at + Column.source]!
    const day = Math.floor(numbers[at + Column.startedAt]! / DAY_MS)
    let sum = ofSource[place]!.find(each => each.day === day)
    if (!sum) {
      sum = { source: sources[place]!, day, calls: 0, errors: 0, billedMs: 0, bytesIn: 0, bytesOut: 0 }
      ofSource[place]!.push(sum)
    }
    sum.calls++
    if (status === 'error' || status === 'timeout') sum.errors++
    sum.billedMs += numbers[at + Column.billedMs]!
    sum.bytesIn += numbers[at + Column.bytesIn]!
    sum.bytesOut += numbers[at + Column.bytesOut]!
  }
  return ofSource.flat()
}
