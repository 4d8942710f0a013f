import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite'
import { AtelierError, type Invocation, type LogLine, timeOfId } from '../core/index.ts'
import type { Question } from './answers.ts'
import { RecordPacker } from './batch.ts'
import { encodeLines } from './log-block.ts'
import { encodeRecords } from './record-block.ts'
import { FIRST_NUMBER, floorOf, type Kind, segmentName, segmentsAmong } from './segment.ts'
import type { SegmentFiles } from './segment-files.ts'
import type { UsageRow } from './telemetry.ts'
import { startUsage } from './usage.ts'

const VERSION_KNOWN = 2
const ROWS_PER_BLOCK = 1_000
const SEGMENT_BYTES = 8 * 1024 ** 2

type Row = Record<string, SQLOutputValue>

/**
 * Takes over what an earlier Atelier kept in one SQLite file, and removes the file. Cut off in the middle, it begins anew the next
 * time: what it writes has numbers of its own, and sums are folded only after it.
 */
export function importLegacy(files: SegmentFiles, root: string, { path, sinceMs }: Question<'import'>): void {
  const database = new DatabaseSync(path)
  try {
    const version = Number(database.prepare('pragma user_version').get()?.['user_version'])
    if (version > VERSION_KNOWN)
      throw new AtelierError(
        'INVALID_INPUT',
        `${path} was written by a newer Atelier: start that one, or move the file away.`,
      )
    removeHalf(files, root)
    if (version > 0) {
      importUsage(files, database)
      importRecords(files, database, floorOf(sinceMs))
      importLines(files, database, sinceMs)
    }
  } finally {
    database.close()
  }
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
}

function removeHalf(files: SegmentFiles, root: string): void {
  for (const project of files.namesOf(root)) {
    const folder = join(root, project)
    const names = files.namesOf(folder)
    for (const { name, number } of [...segmentsAmong(names, 'records'), ...segmentsAmong(names, 'logs')])
      if (number < FIRST_NUMBER) rmSync(join(folder, name), { force: true })
  }
}

function importUsage(files: SegmentFiles, database: DatabaseSync): void {
  const rows = database
    .prepare(
      `select project_id as projectId, day, function_id as functionId, app_name as appName, function_name as functionName,
         calls, errors, billed_ms as billedMs, memory_mib_ms as memoryMiBMs, bytes_in as bytesIn, bytes_out as bytesOut from usage`,
    )
    .all() as unknown as (UsageRow & { readonly projectId: string })[]
  for (const [projectId, ofProject] of Map.groupBy(rows, row => row.projectId)) {
    const folder = files.folderOf(projectId)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    startUsage(folder, ofProject)
  }
}

function importRecords(files: SegmentFiles, database: DatabaseSync, since: string): void {
  const rows = database
    .prepare(
      `select r.*, p.text as project_id, f.text as function_id, app_name, function_name, version, memory_mib, trigger
       from invocations as r join sources on sources.key = r.source join ids as p on p.key = r.project
       join ids as f on f.key = r.function where r.id >= ? order by r.project, r.id`,
    )
    .iterate(since)
  const packer = new RecordPacker()
  let to: Import | undefined
  const write = () => {
    if (packer.count > 0)
      packer.take(records => to!.append(encodeRecords(records, { summed: false }), timeOfId(records.min)))
  }
  for (const row of rows) {
    const projectId = String(row['project_id'])
    if (to?.projectId !== projectId || packer.count >= ROWS_PER_BLOCK) write()
    if (to?.projectId !== projectId) to = new Import(files, projectId, 'records')
    packer.add(invocationOf(row), String(row['id']))
  }
  write()
}

function importLines(files: SegmentFiles, database: DatabaseSync, sinceMs: number): void {
  const rows = database
    .prepare('select * from logs where at >= ? order by project_id, seq')
    .iterate(sinceMs) as unknown as Iterable<Row>
  let lines: LogLine[] = []
  let to: Import | undefined
  const write = () => {
    if (lines.length > 0) to!.append(encodeLines(lines).block, Math.min(...lines.map(({ at }) => at)))
    lines = []
  }
  for (const row of rows) {
    const projectId = String(row['project_id'])
    if (to?.projectId !== projectId || lines.length >= ROWS_PER_BLOCK) write()
    if (to?.projectId !== projectId) to = new Import(files, projectId, 'logs')
    lines.push(lineOf(row))
  }
  write()
}

/** Segments of one project, from number one. */
class Import {
  readonly projectId: string
  readonly #folder: string
  readonly #kind: Kind
  #number = 0
  #path = ''
  #bytes = SEGMENT_BYTES

  constructor(files: SegmentFiles, projectId: string, kind: Kind) {
    this.projectId = projectId
    this.#folder = files.folderOf(projectId)
    this.#kind = kind
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
  }

  append(block: Buffer, firstMs: number): void {
    if (this.#bytes + block.length > SEGMENT_BYTES) {
      this.#path = join(this.#folder, segmentName(this.#kind, ++this.#number, Math.floor(firstMs) || 0))
      this.#bytes = 0
    }
    appendFileSync(this.#path, block, { mode: 0o600 })
    this.#bytes += block.length
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
    ...Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== null && value !== undefined),
    ),
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
