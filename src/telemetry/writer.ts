import type { DatabaseSync } from 'node:sqlite'
import type { Invocation, LogLine } from '../core/index.ts'

export interface Batch {
  readonly records: readonly Invocation[]
  readonly lines: readonly LogLine[]
}

const DAY_MS = 86_400_000

/** Writes batches, each in one transaction: the records, the lines, and what they add to the sums. */
export function writer(database: DatabaseSync): (batch: Batch) => void {
  const insertRecord = database.prepare(
    `insert or ignore into invocations values (${Array.from({ length: 25 }, () => '?').join()})`,
  )
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

  return ({ records, lines }) => {
    const kept = new Map<string, { records: number; logBytes: number }>()
    const keptOf = (functionId: string) => {
      let entry = kept.get(functionId)
      if (!entry) kept.set(functionId, (entry = { records: 0, logBytes: 0 }))
      return entry
    }
    database.exec('begin immediate')
    try {
      for (const r of records) {
        insertRecord.run(
          r.id,
          r.projectId,
          r.functionId,
          r.appName,
          r.functionName,
          r.version,
          r.trigger,
          r.status,
          r.httpStatus,
          r.fault ?? null,
          r.errorCode ?? null,
          r.errorMessage ?? null,
          r.cold ? 1 : 0,
          r.instanceId ?? null,
          r.startedAt,
          r.queuedMs,
          r.startingMs,
          r.initialisingMs,
          r.runningMs,
          r.billedMs,
          r.memoryMiB,
          r.memoryPeakBytes ?? null,
          r.bytesIn,
          r.bytesOut,
          r.traceparent ?? null,
        )
        keptOf(r.functionId).records++
      }
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
          u.projectId,
          u.day,
          u.functionId,
          u.appName,
          u.functionName,
          u.calls,
          u.errors,
          u.billedMs,
          u.memoryMiBMs,
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

interface Sum {
  readonly projectId: string
  readonly day: string
  readonly functionId: string
  readonly appName: string
  readonly functionName: string
  calls: number
  errors: number
  billedMs: number
  memoryMiBMs: number
  bytesIn: number
  bytesOut: number
}

/** The records' sums by function and UTC day. A refused call never ran: it is no call here. */
function sums(records: readonly Invocation[]): Iterable<Sum> {
  const byKey = new Map<string, Sum>()
  for (const record of records) {
    if (record.status === 'refused') continue
    const day = Math.floor(record.startedAt / DAY_MS)
    const key = `${day} ${record.functionId}`
    let sum = byKey.get(key)
    if (!sum) {
      const { projectId, functionId, appName, functionName } = record
      const names = { projectId, functionId, appName, functionName }
      const text = new Date(day * DAY_MS).toISOString().slice(0, 10)
      sum = { ...names, day: text, calls: 0, errors: 0, billedMs: 0, memoryMiBMs: 0, bytesIn: 0, bytesOut: 0 }
      byKey.set(key, sum)
    }
    sum.calls++
    if (record.status === 'error' || record.status === 'timeout') sum.errors++
    sum.billedMs += record.billedMs
    sum.memoryMiBMs += record.billedMs * record.memoryMiB
    sum.bytesIn += record.bytesIn
    sum.bytesOut += record.bytesOut
  }
  return byKey.values()
}
