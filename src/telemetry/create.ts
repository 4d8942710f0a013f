import { AtelierError, type Clock, type Invocation, type LogLine } from '../core/index.ts'
import { RecordPacker } from './batch.ts'
import { Followers, lossOf } from './followers.ts'
import type { Retention } from './prune.ts'
import type { CallObserver, TelemetryReader } from './telemetry.ts'
import { TelemetryThread, type ThreadListener } from './thread.ts'
import type { Problem } from './worker.ts'

export interface TelemetryOptions {
  /** The file; made when it is not there. */
  readonly path: string
  readonly clock: Clock
  readonly retention?: Partial<Retention>
  readonly limits?: Partial<TelemetryLimits>
  /** Told of what went wrong behind the writing; at most once for each batch. */
  readonly onProblem?: (message: string, cause: string | undefined) => void
}

export interface TelemetryLimits {
  /** What is observed is written this long after, at the latest. @default 250 ms */
  readonly flushMs: number
  /** … or when so many records or lines wait. @default 1000 */
  readonly flushCount: number
  /** Records not yet written; further ones are dropped and counted. @default 50,000 */
  readonly recordsWaitingMax: number
  /** Log text not yet written. @default 32 MiB */
  readonly logBytesWaitingMax: number
  /** Log text of one function between two flushes, so that a flood is its own function's loss. @default 1 MiB */
  readonly logBytesPerFlushMax: number
}

export interface TelemetryCounts {
  readonly recordsDropped: number
  readonly linesDropped: number
  /** Records that wait to be written. */
  readonly waiting: number
}

export interface RunningTelemetry extends CallObserver, TelemetryReader {
  counts(): TelemetryCounts
  /** Writes what waits and closes the file. */
  close(): Promise<void>
}

const LIMITS_DEFAULT: TelemetryLimits = {
  flushMs: 250,
  flushCount: 1_000,
  recordsWaitingMax: 50_000,
  logBytesWaitingMax: 32 * 1024 ** 2,
  logBytesPerFlushMax: 1024 ** 2,
}

const DAY_MS = 86_400_000

const RETENTION_DEFAULT: Retention = {
  ageMs: 7 * DAY_MS,
  usageAgeMs: 400 * DAY_MS,
  bytesMax: 2 * 1024 ** 3,
  recordsPerFunctionMax: 100_000,
  logBytesPerFunctionMax: 64 * 1024 ** 2,
}

const PRUNE_EVERY_MS = 60_000
const PRUNE_PAUSE_MS = 100 // between two steps, so that tidying leaves the processors to the calls
const RESTART_AFTER_MS = 1_000
const LINE_BYTES = 64 // what a line costs in the queue beside its text
const PAGE_DEFAULT = 100
const PAGE_MAX = 1_000
const LINES_MAX = 10_000
const LOST: Problem = {
  code: 'UNAVAILABLE',
  message: 'The thread that keeps records of calls is being started again.',
  errors: undefined,
  cause: undefined,
}

/**
 * Remembers calls. The main thread only appends to flat arrays and hands them over in batches; a worker thread with a file of its
 * own does the SQL (5 to 10 µs a record, too much for the thread that also carries the calls). What is not written
 * yet when the process is killed is lost: at most `flushMs` of records, never anything that was acknowledged.
 */
export async function createTelemetry(options: TelemetryOptions): Promise<RunningTelemetry> {
  const limits = { ...LIMITS_DEFAULT, ...options.limits }
  const telemetry = new Telemetry(options, limits)
  await telemetry.start()
  return telemetry
}

class Telemetry implements RunningTelemetry, ThreadListener {
  readonly #path: string
  readonly #clock: Clock
  readonly #limits: TelemetryLimits
  readonly #retention: Retention
  readonly #onProblem: (message: string, cause: string | undefined) => void
  readonly #followers = new Followers()
  #thread: TelemetryThread | undefined
  readonly #records = new RecordPacker()
  #lines: LogLine[] = []
  #lineBytes = 0
  readonly #lineBytesOf = new Map<string, number>()
  readonly #lostOf = new Map<string, { count: number; last: LogLine }>()
  /** Batches under way, oldest first. */
  readonly #sent: { readonly records: number; readonly lines: number; readonly lineBytes: number }[] = []
  #recordsSent = 0
  #lineBytesSent = 0
  #recordsDropped = 0
  #linesDropped = 0
  #flushPlanned = false
  #closing = false
  #stopPruning: () => void = () => {}

  constructor(options: TelemetryOptions, limits: TelemetryLimits) {
    this.#path = options.path
    this.#clock = options.clock
    this.#limits = limits
    this.#retention = { ...RETENTION_DEFAULT, ...options.retention }
    this.#onProblem = options.onProblem ?? (() => {})
  }

  async start(): Promise<void> {
    this.#thread = await TelemetryThread.start(this.#path, this)
    this.#planPruning(PRUNE_EVERY_MS)
  }

  onInvocation(record: Invocation): void {
    if (this.#records.count + this.#recordsSent >= this.#limits.recordsWaitingMax || this.#closing) {
      this.#recordsDropped++
      return
    }
    this.#records.add(record)
    if (this.#records.count >= this.#limits.flushCount) this.#flush()
    else if (!this.#flushPlanned) this.#planFlush()
  }

  onLog(line: LogLine): void {
    this.#followers.tell(line)
    const bytes = line.text.length + LINE_BYTES
    const ofFunction = (this.#lineBytesOf.get(line.functionId) ?? 0) + bytes
    const full = this.#lineBytes + this.#lineBytesSent + bytes > this.#limits.logBytesWaitingMax
    if (full || ofFunction > this.#limits.logBytesPerFlushMax || this.#closing) return this.#dropLine(line)
    this.#lineBytesOf.set(line.functionId, ofFunction)
    this.#lineBytes += bytes
    if (this.#lines.push(line) >= this.#limits.flushCount) this.#flush()
    else if (!this.#flushPlanned) this.#planFlush()
  }

  getInvocation(projectId: string, id: string) {
    return this.#ask({ kind: 'invocation', projectId, id })
  }

  listAttempts(projectId: string, id: string) {
    return this.#ask({ kind: 'attempts', projectId, id })
  }

  listInvocations(...[projectId, filter, page]: Parameters<TelemetryReader['listInvocations']>) {
    const limit = Math.max(1, Math.min(page.limit ?? PAGE_DEFAULT, PAGE_MAX))
    return this.#ask({ kind: 'invocations', projectId, filter, limit, cursor: page.cursor })
  }

  listLogs(...[projectId, filter, limit]: Parameters<TelemetryReader['listLogs']>) {
    return this.#ask({ kind: 'logs', projectId, filter, limit: Math.max(0, Math.min(limit, LINES_MAX)) })
  }

  followLogs(...[projectId, filter, onLine]: Parameters<TelemetryReader['followLogs']>) {
    return this.#followers.follow(projectId, filter, onLine)
  }

  usage(...[projectId, { functionId, fromMs, toMs }]: Parameters<TelemetryReader['usage']>) {
    return this.#ask({
      kind: 'usage',
      projectId,
      functionId,
      fromDay: dayOf(fromMs),
      toDay: dayOf(toMs + DAY_MS - 1),
    })
  }

  counts(): TelemetryCounts {
    const waiting = this.#records.count + this.#recordsSent
    return { recordsDropped: this.#recordsDropped, linesDropped: this.#linesDropped, waiting }
  }

  async close(): Promise<void> {
    this.#flush()
    this.#closing = true
    this.#stopPruning()
    await this.#thread?.close()
  }

  onWritten(problem: Problem | undefined): void {
    const batch = this.#sent.shift()
    if (!batch) return
    this.#recordsSent -= batch.records
    this.#lineBytesSent -= batch.lineBytes
    if (!problem) return
    this.#recordsDropped += batch.records
    this.#linesDropped += batch.lines
    this.#onProblem(
      `${batch.records} records and ${batch.lines} lines of logs were lost. ${problem.message}`,
      problem.cause,
    )
  }

  onPruned(more: boolean, problem: Problem | undefined): void {
    if (problem) this.#onProblem(`Old records could not be removed. ${problem.message}`, problem.cause)
    this.#planPruning(more && !problem ? PRUNE_PAUSE_MS : PRUNE_EVERY_MS)
  }

  onLost(): void {
    const { length } = this.#sent
    for (let i = 0; i < length; i++) this.onWritten(LOST)
    this.#thread = undefined
    if (!this.#closing) this.#clock.after(RESTART_AFTER_MS, () => void this.#restart())
  }

  async #restart(): Promise<void> {
    this.#stopPruning()
    try {
      await this.start()
      if (this.#closing) await this.#thread?.close()
      else this.#flush()
    } catch (error) {
      this.#onProblem('Records of calls cannot be kept.', error instanceof Error ? error.stack : undefined)
      if (!this.#closing) this.#clock.after(RESTART_AFTER_MS, () => void this.#restart())
    }
  }

  #ask: TelemetryThread['ask'] = question => {
    // In this order and in this tick, so that the answer knows everything that was observed until now.
    this.#flush()
    const thread = this.#thread
    return thread ? thread.ask(question) : Promise.reject(new AtelierError('UNAVAILABLE', LOST.message))
  }

  #planFlush(): void {
    this.#flushPlanned = true
    this.#clock.after(this.#limits.flushMs, () => {
      this.#flushPlanned = false
      this.#flush()
    })
  }

  #flush(): void {
    const thread = this.#thread
    if (!thread || this.#closing) return
    for (const { count, last } of this.#lostOf.values()) this.#lines.push(lossOf(count, last))
    this.#lostOf.clear()
    this.#lineBytesOf.clear()
    const lines = this.#lines
    const { count } = this.#records
    if (count === 0 && lines.length === 0) return
    this.#lines = []
    this.#sent.push({ records: count, lines: lines.length, lineBytes: this.#lineBytes })
    this.#recordsSent += count
    this.#lineBytesSent += this.#lineBytes
    this.#lineBytes = 0
    this.#records.take(records => thread.send({ kind: 'write', batch: { records, lines } }))
  }

  #dropLine(line: LogLine): void {
    this.#linesDropped++
    const lost = this.#lostOf.get(line.functionId)
    if (lost) {
      lost.count++
      lost.last = line
    } else if (this.#lostOf.size < this.#limits.flushCount)
      this.#lostOf.set(line.functionId, { count: 1, last: line })
    if (!this.#flushPlanned) this.#planFlush()
  }

  #planPruning(delayMs: number): void {
    if (this.#closing) return
    this.#stopPruning = this.#clock.after(delayMs, () => {
      this.#thread?.send({ kind: 'prune', retention: this.#retention, nowMs: this.#clock.now() })
    })
  }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
