import type { Kysely, Transaction } from 'kysely'
import { AtelierError } from '../core/index.ts'
import type { Tables } from './tables.ts'

/** The SQL store. SQLite now; the statements stay within what MySQL and PostgreSQL also speak. */
export interface Store {
  /** For reads, and for writes of one statement. Inside `transaction` use its `tx` alone. */
  readonly db: Kysely<Tables>
  readonly dialect: 'sqlite' | 'mysql' | 'postgres'
  /**
   * Runs `work` in one write transaction; what it throws rolls everything back. When it resolves, the change survives
   * `kill -9`, and the loss of power unless it was told to be `relaxed`. Transactions run one after the other, so `work`
   * does nothing but SQL. Never nest. A key that exists is CONFLICT, a full disk STORAGE_FULL.
   */
  transaction<T>(work: (tx: Transaction<Tables>) => Promise<T>, options?: TransactionOptions): Promise<T>
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

/**
 * Opens the store, takes it for this process alone, and brings its tables up to date. Rejects with UNAVAILABLE when
 * another process has it (naming the pid), and with INVALID_INPUT when it is not ours or comes from a newer Atelier.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const scheme = /^([a-z]+):(?!\\)/.exec(options.url)?.[1] ?? 'sqlite'
  if (scheme !== 'sqlite')
    throw new AtelierError('INVALID_INPUT', `The store cannot be ${scheme}: use sqlite:/path/of/file.`)
  const { openSqlite } = await import('./sqlite/open.ts')
  return openSqlite(options.url.replace(/^sqlite:/, ''), options)
}
