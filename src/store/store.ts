import type { Kysely, Transaction } from 'kysely'
import { AtelierError } from '../core/index.ts'
import type { EventTables } from './event-tables.ts'
import type { Layout } from './migrations/migration.ts'
import { type DatabaseAddress, readAddress } from './server/uri.ts'
import type { Engine } from './server/wire.ts'
import type { SqlDialect } from './sql-dialect.ts'
import type { Tables } from './tables.ts'

/** The SQL store: SQLite, MariaDB/MySQL or PostgreSQL. Statements stay within what all of them speak. */
export interface Store<T = Tables> {
  /** For reads, and for writes of one statement. Inside `transaction` use its `tx` alone. */
  readonly db: Kysely<T>
  readonly dialect: SqlDialect
  /**
   * Runs `work` in one write transaction; what it throws rolls everything back. When it resolves, the change survives
   * `kill -9`, and the loss of power unless it was told to be `relaxed`. Transactions run one after the other, on all nodes
   * that share a database; so `work` does nothing but SQL, and it may be run again when a database gives a transaction up. Never
   * nest. A key that exists is CONFLICT, a full disk STORAGE_FULL, a database that does not answer UNAVAILABLE.
   */
  transaction<R>(work: (tx: Transaction<T>) => Promise<R>, options?: TransactionOptions): Promise<R>
  /** A consistent copy at `targetPath`, which must not exist yet; the server runs on meanwhile. INVALID_INPUT where a database server keeps the data. */
  backup(targetPath: string): Promise<void>
  close(): Promise<void>
}

/** How much a commit waits for. */
export interface TransactionOptions {
  /**
   * Whether the change may be lost with the power (never with the process): saves the wait for the disk. For records
   * that are written behind anyway. @default false
   */
  readonly relaxed?: boolean
}

/** Which database, and how large. */
export interface StoreOptions {
  /** `sqlite:/path/of/file`, or the path alone; `mysql://` or `postgresql://user:password@host/database`. */
  readonly url: string
  /** The most that the database may grow to; a write beyond it is STORAGE_FULL. @default no limit but the disk's */
  readonly sizeBytesMax?: number
}

/** What calls and messages that outlive their caller are kept in. Its statements run beside the thread that carries calls. */
export type EventStore = Store<EventTables>

/**
 * Opens the store and brings its tables up to date. A file is taken for this process alone: UNAVAILABLE when another one has it
 * (naming the pid), or when a database server, which several may share, lets nobody in. INVALID_INPUT when it is not ours or comes from a newer Atelier.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { CONTROL_LAYOUT } = await import('./migrations/index.ts')
  const address = readAddress(options.url)
  if (address) return openServer(address, CONTROL_LAYOUT)
  const { openSqlite } = await import('./sqlite/open.ts')
  return openSqlite(sqlitePath(options.url), options, CONTROL_LAYOUT)
}

/**
 * The store of the event plane; as `openStore`. With SQLite it is a file of its own, so that its commits hold up none of
 * the control plane's, and a thread does the waiting for the disk; on a database server it may share the control plane's database. Statements of a transaction that are started together
 * (`Promise.all`) travel together; after one that failed the others are not run.
 */
export async function openEventStore(options: StoreOptions): Promise<EventStore> {
  const { EVENT_LAYOUT } = await import('./migrations/events/index.ts')
  const address = readAddress(options.url)
  if (address) return openServer(address, EVENT_LAYOUT)
  const { openThreadedSqlite } = await import('./sqlite/threaded.ts')
  return openThreadedSqlite(sqlitePath(options.url), options, EVENT_LAYOUT)
}

async function openServer<T>(address: DatabaseAddress, layout: Layout<T>): Promise<Store<T>> {
  const [engine, { openServerStore }] = await Promise.all([engineOf(address), import('./server/open.ts')])
  return openServerStore(engine, layout)
}

/** Loads what speaks to this kind of server. */
export async function engineOf(address: DatabaseAddress): Promise<Engine> {
  if (address.kind === 'mysql') return (await import('./mysql/engine.ts')).mysqlEngine(address)
  return (await import('./postgres/engine.ts')).postgresEngine(address)
}

/** The file of `sqlite:/path/of/file`, or of the path alone. INVALID_INPUT for what names another kind of database; never repeats it. */
export function sqlitePath(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):(?!\\)/i.exec(url)?.[1]?.toLowerCase() ?? 'sqlite'
  if (scheme !== 'sqlite')
    throw new AtelierError(
      'INVALID_INPUT',
      `The store cannot be ${scheme.slice(0, 40)}: use sqlite:/path/of/file, mysql://user:password@host/database or postgresql://….`,
    )
  return url.replace(/^sqlite:(\/\/(?=\/))?/i, '')
}
