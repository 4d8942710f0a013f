import { existsSync } from 'node:fs'
import { AtelierError, type Clock, type Invocation, type LogLine } from '../core/index.ts'
import { Followers, lossOf } from './followers.ts'
import { bytesOf, Journal, type Written } from './journal.ts'
import { type Retention, segmentLimits, tidyAfterBytes } from './retention.ts'
import type { Kind } from './segment.ts'
import type { CallObserver, TelemetryReader } from './telemetry.ts'
import { ReaderThread } from './thread.ts'

/** What `createTelemetry` stands on. */
export interface TelemetryOptions {
  /** The folder; made when it is needed. */
  readonly path: string
  /** A database of an earlier Atelier, whose records are taken over and which is then removed. */
  readonly earlierPath?: string
  readonly clock: Clock
  readonly retention?: Partial<Retention>
  readonly limits?: Partial<TelemetryLimits>
  /** Told of what went wrong behind the writing; at most once for each write. */
  readonly onProblem?: (message: string, cause: string | undefined) => void
}

/** How much may wait to be written, and for how long. */
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

/** Keeps what it is told, and answers from it. */
export interface RunningTelemetry extends CallObserver, TelemetryReader {
  counts(): TelemetryCounts
  /** Resolves when what an earlier layout kept has been taken over. */
  readonly ready: Promise<void>
  /** Writes what waits. */
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
}

const TIDY_EVERY_MS = 3_600_000
const PAGE_DEFAULT = 100
const PAGE_MAX = 1_000
const LINES_MAX = 10_000

/**
 * Remembers calls. What is observed is packed into flat arrays and appended, some times a second, to files of the project:
 * no thread, no database and no index is on a record's way, and nothing gets slower with what is kept already. What is not
 * written yet when the process is killed is lost: at most `flushMs` of records, never anything that was acknowledged.
 */
export function createTelemetry(options: TelemetryOptions): RunningTelemetry {
  return new Telemetry(options)
}

class Telemetry implements RunningTelemetry {
  readonly ready: Promise<void>
  readonly #clock: Clock
  readonly #limits: TelemetryLimits
  readonly #retention: Retention
  readonly #tidyAfterBytes: number
  readonly #onProblem: (message: string, cause: string | undefined) => void
  readonly #followers = new Followers()
  readonly #reader: ReaderThread
  readonly #journal: Journal
  /** Not yet flushed. */
  #records = 0
  #lines = 0
  #lineBytes = 0
  readonly #lineBytesOf = new Map<string, number>()
  readonly #lostOf = new Map<string, { count: number; last: LogLine }>()
  /** Flushed, and not yet written. */
  #recordsSent = 0
  #lineBytesSent = 0
  #recordsDropped = 0
  #linesDropped = 0
  #bytesSinceTidy = 0
  #isTidying = true // until it is known what was there before
  #flushPlanned = false
  #closing = false
  #stopTidying: () => void = () => {}

  constructor(options: TelemetryOptions) {
    this.#clock = options.clock
    this.#limits = { ...LIMITS_DEFAULT, ...options.limits }
    this.#retention = { ...RETENTION_DEFAULT, ...options.retention }
    this.#onProblem = options.onProblem ?? (() => {})
    this.#reader = new ReaderThread(options.path, options.clock)
    const segments = segmentLimits(this.#retention)
    this.#tidyAfterBytes = tidyAfterBytes(this.#retention)
    this.#journal = new Journal(options.path, options.clock, segments, written => this.#written(written))
    this.ready = this.#takeOver(options.earlierPath)
  }

  onInvocation(record: Invocation): void {
    if (this.#records + this.#recordsSent >= this.#limits.recordsWaitingMax || this.#closing) {
      this.#recordsDropped++
      return
    }
    this.#journal.addRecord(record)
    if (++this.#records >= this.#limits.flushCount) this.#flush()
    else if (!this.#flushPlanned) this.#planFlush()
  }

  onLog(line: LogLine): void {
    this.#followers.tell(line)
    const bytes = bytesOf(line)
    const ofFunction = (this.#lineBytesOf.get(line.functionId) ?? 0) + bytes
    const full = this.#lineBytes + this.#lineBytesSent + bytes > this.#limits.logBytesWaitingMax
    if (full || ofFunction > this.#limits.logBytesPerFlushMax || this.#closing) return this.#dropLine(line)
    this.#lineBytesOf.set(line.functionId, ofFunction)
    this.#lineBytes += bytes
    this.#journal.addLine(line)
    if (++this.#lines >= this.#limits.flushCount) this.#flush()
    else if (!this.#flushPlanned) this.#planFlush()
  }

  async getInvocation(projectId: string, id: string) {
    return this.#reader.ask({ kind: 'invocation', id, ...(await this.#scope(projectId, 'records')) })
  }

  async listAttempts(projectId: string, id: string) {
    return this.#reader.ask({ kind: 'attempts', id, ...(await this.#scope(projectId, 'records')) })
  }

  async listInvocations(...[projectId, filter, page]: Parameters<TelemetryReader['listInvocations']>) {
    const limit = Math.max(1, Math.min(page.limit ?? PAGE_DEFAULT, PAGE_MAX))
    const scope = await this.#scope(projectId, 'records')
    return this.#reader.ask({ kind: 'invocations', filter, limit, cursor: page.cursor, ...scope })
  }

  async listLogs(...[projectId, filter, limit]: Parameters<TelemetryReader['listLogs']>) {
    const scope = await this.#scope(projectId, 'logs')
    return this.#reader.ask({
      kind: 'logs',
      filter,
      limit: Math.max(0, Math.min(limit, LINES_MAX)),
      ...scope,
    })
  }

  followLogs(...[projectId, filter, onLine]: Parameters<TelemetryReader['followLogs']>) {
    return this.#followers.follow(projectId, filter, onLine)
  }

  async usage(...[projectId, { functionId, fromMs, toMs }]: Parameters<TelemetryReader['usage']>) {
    const fromDay = Math.floor(fromMs / DAY_MS)
    const toDay = Math.ceil(toMs / DAY_MS)
    const scope = await this.#scope(projectId, 'records')
    return this.#reader.ask({ kind: 'usage', functionId, fromDay, toDay, ...scope })
  }

  counts(): TelemetryCounts {
    const waiting = this.#records + this.#recordsSent
    return { recordsDropped: this.#recordsDropped, linesDropped: this.#linesDropped, waiting }
  }

  async close(): Promise<void> {
    this.#flush()
    this.#closing = true
    this.#stopTidying()
    await this.#journal.settled()
    await this.#reader.close()
  }

  /** Flushes in this tick, so that an answer knows everything that was observed until now, and nothing that comes later. */
  async #scope(projectId: string, kind: Kind) {
    this.#flush()
    const sinceMs = this.#clock.now() - this.#retention.ageMs
    try {
      return { projectId, sinceMs, mark: await this.#journal.mark(projectId, kind) }
    } catch (cause) {
      throw new AtelierError('UNAVAILABLE', 'Records of calls cannot be read now.', { cause })
    }
  }

  async #takeOver(earlierPath: string | undefined): Promise<void> {
    if (earlierPath !== undefined && existsSync(earlierPath)) {
      const sinceMs = this.#clock.now() - this.#retention.ageMs
      try {
        await this.#reader.ask({ kind: 'import', path: earlierPath, sinceMs })
      } catch (error) {
        if (!this.#closing) this.#tell('The records of an earlier version could not be taken over.', error)
      }
    }
    // Not before: what is taken over are the first sums of their days.
    this.#planTidying()
  }

  #written({ records, lines, lineBytes, bytes, error }: Written): void {
    this.#recordsSent -= records
    this.#lineBytesSent -= lineBytes
    this.#bytesSinceTidy += bytes
    if (error !== undefined) {
      this.#recordsDropped += records
      this.#linesDropped += lines
      const isFull = FULL.has((error as NodeJS.ErrnoException).code ?? '')
      this.#tell(
        `${records} records and ${lines} lines of logs were lost. ${isFull ? 'There is no space left for them.' : ''}`.trimEnd(),
        error,
      )
    }
    if (this.#bytesSinceTidy >= this.#tidyAfterBytes) void this.#tidy()
  }

  #planTidying(): void {
    if (this.#closing) return
    this.#isTidying = false
    this.#stopTidying = this.#clock.after(TIDY_EVERY_MS, () => void this.#tidy())
    if (this.#bytesSinceTidy >= this.#tidyAfterBytes) void this.#tidy()
  }

  async #tidy(): Promise<void> {
    if (this.#isTidying || this.#closing) return
    this.#isTidying = true
    this.#bytesSinceTidy = 0
    this.#stopTidying()
    try {
      await this.#reader.ask({ kind: 'tidy', retention: this.#retention, nowMs: this.#clock.now() })
    } catch (error) {
      if (!this.#closing) this.#tell('Old records could not be removed.', error)
    }
    this.#planTidying()
  }

  #tell(message: string, error: unknown): void {
    const cause = error instanceof AtelierError ? (error.cause ?? error) : error
    this.#onProblem(message, cause instanceof Error ? (cause.stack ?? cause.message) : undefined)
  }

  #planFlush(): void {
    this.#flushPlanned = true
    this.#clock.after(this.#limits.flushMs, () => {
      this.#flushPlanned = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#closing) return
    for (const { count, last } of this.#lostOf.values()) {
      const line = lossOf(count, last)
      this.#lineBytes += bytesOf(line)
      this.#journal.addLine(line)
    }
    this.#lostOf.clear()
    this.#lineBytesOf.clear()
    this.#recordsSent += this.#records
    this.#lineBytesSent += this.#lineBytes
    this.#records = 0
    this.#lines = 0
    this.#lineBytes = 0
    this.#journal.flush()
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
}

/** What a full disk, a quota and a limit of the process are called. */
const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])
