import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Batch } from './batch.ts'
import { prune, type Retention } from './prune.ts'
import { type Answers, type Ask, reader } from './reader.ts'
import { migrateTelemetry } from './schema.ts'
import { writer } from './writer.ts'

const BUSY_TIMEOUT_MS = 5_000
const CACHE_KIB = 8_192
const INCREMENTAL = 2

/** Records, logs and sums in one SQLite file. Synchronous: it lives in a worker thread, see `worker.ts`. */
export interface TelemetryDatabase {
  /** One transaction. */
  write(batch: Batch): void
  ask<K extends keyof Answers>(question: Ask & { readonly kind: K }): Answers[K]
  /** Removes some of what is too old or too much; true when there is more to remove. */
  prune(retention: Retention, nowMs: number): boolean
  close(): void
}

export function openTelemetryDatabase(path: string): TelemetryDatabase {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    // Incremental vacuum must be chosen before the first table; to say it again would write, and fail on a full disk.
    if (database.prepare('pragma auto_vacuum').get()?.['auto_vacuum'] !== INCREMENTAL)
      database.exec('pragma auto_vacuum = incremental')
    // Records may be lost with the power, not with the process.
    database.exec(`pragma journal_mode = wal; pragma synchronous = normal; pragma cache_size = -${CACHE_KIB}`)
    chmodSync(path, 0o600)
    migrateTelemetry(database, path)
  } catch (error) {
    database.close()
    throw error
  }
  const write = writer(database)
  const ask = reader(database)
  return {
    write,
    ask,
    prune: (retention, nowMs) => prune(database, retention, nowMs),
    close: () => database.close(),
  }
}
