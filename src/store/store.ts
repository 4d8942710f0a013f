import type { Kysely, Transaction } from 'kysely'
import { AtelierError } from '../core/index.ts'
import type { EventTables } from './event-tables.ts'
import type { Tables } from './tables.ts'

export type SqlDialect = 'sqlite' | 'mysql' | 'postgres'

/** The SQL store. SQLite now; the statements stay within what MySQL and PostgreSQL also speak. */
export interface Store<T = Tables> {
  /** For reads, and for writes of one statement. Inside `transaction` use its `tx` alone. */
  readonly db: Kysely<T>
  readonly dialect: SqlDialect
  /**
   * Runs `work` in one write transaction; what it throws rolls everything back. When it resolves, the change survives
   * `kill -9`, and the loss of power unless it was told to be `relaxed`. Transactions run one after the other, so `work`
   * does nothing but SQL. Never nest. A key that exists is CONFLICT, a full disk STORAGE_FULL.
   */
  transaction<R>(work: (tx: Transaction<T>) => Promise<R>, options?: TransactionOptions): Promise<R>
  /** A consistent copy at `targetPath`, which must not exist yet; the server runs on meanwhile. */
  backup(targetPath: string): Promise<void>
  close(): Promise<void>
}

export interface TransactionOptions {
  /**
   * Whether the change may be lost with the power (never with the process): saves the wait for the disk. For records
   * that are written behind anyway. @default false
   */
  readonly relaxed?: boolean
}

export interface StoreOptions {
  /** `sqlite:/path/of/file`, or the path alone. */
  readonly url: string
  /** The most that the database may grow to; a write beyond it is STORAGE_FULL. @default no limit but the disk's */
  readonly sizeBytesMax?: number
}

/** What calls and messages that outlive their caller are kept in. Its statements run beside the thread that carries calls. */
export type EventStore = Store<EventTables>

/**
 * Opens the store, takes it for this process alone, and brings its tables up to date. Rejects with UNAVAILABLE when
 * another process has it (naming the pid), and with INVALID_INPUT when it is not ours or comes from a newer Atelier.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const path = sqlitePath(options.url)
  const [{ openSqlite }, { CONTROL_LAYOUT }] = await Promise.all([
    import('./sqlite/open.ts'),
    import('./migrations/index.ts'),
  ])
  return openSqlite(path, options, CONTROL_LAYOUT)
}

/**
 * The store of the event plane; as `openStore`. With SQLite it is a file of its own, so that its commits hold up none of
 * the control plane's, and a thread does the waiting for the disk. Statements of a transaction that are started together
 * (`Promise.all`) travel together; after one that failed the others are not run.
 */
export async function openEventStore(options: StoreOptions): Promise<EventStore> {
  const path = sqlitePath(options.url)
  const [{ openThreadedSqlite }, { EVENT_LAYOUT }] = await Promise.all([
    import('./sqlite/threaded.ts'),
    import('./migrations/events/index.ts'),
  ])
  return openThreadedSqlite(path, options, EVENT_LAYOUT)
}

function sqlitePath(url: string): string {
  const scheme = /^([a-z]+):(?!\\)/.exec(url)?.[1] ?? 'sqlite'
  if (scheme !== 'sqlite')
    throw new AtelierError('INVALID_INPUT', `The store cannot be ${scheme}: use sqlite:/path/of/file.`)
  return url.replace(/^sqlite:/, '')
}
