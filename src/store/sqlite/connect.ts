import { DatabaseSync } from 'node:sqlite'

const BUSY_TIMEOUT_MS = 5_000 // another process (a backup) holds the file for moments only; we have its lock
const WAL_BYTES_KEPT = 64 * 1024 ** 2 // the log is cut back to this after it was longer

// WAL: readers do not wait for the writer. Synchronous full: a commit waits for the disk, since what was acknowledged
// must survive the loss of power too (0.1 to 0.2 ms a commit where the disk has a write cache, 0.01 without the wait).
const SETUP = `pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = ${WAL_BYTES_KEPT}`

export interface ConnectionSettings {
  readonly path: string
  /** Without it the file grows as far as the disk lets it. */
  readonly bytesMax: number | undefined
}

/** A connection to a file of ours. Throws what SQLite says of one that it cannot open. */
export function connect({ path, bytesMax }: ConnectionSettings): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  try {
    database.exec(SETUP)
    if (bytesMax !== undefined) {
      const pageBytes = Number(database.prepare('pragma page_size').get()?.['page_size'])
      database.exec(`pragma max_page_count = ${Math.max(1, Math.floor(bytesMax / pageBytes))}`)
    }
    return database
  } catch (error) {
    database.close()
    throw error
  }
}
