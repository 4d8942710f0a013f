import type { Kysely, Transaction } from 'kysely'
import type { Tables } from './tables.ts'

/** The SQL store. SQLite now; the statements stay within what MySQL and PostgreSQL also speak. */
export interface Store {
  readonly db: Kysely<Tables>
  readonly dialect: 'sqlite' | 'mysql' | 'postgres'
  /** Runs `work` in one write transaction; what it throws rolls everything back. Never nest. */
  transaction<T>(work: (tx: Transaction<Tables>) => Promise<T>): Promise<T>
  /** A consistent copy while the server runs. */
  backup(targetPath: string): Promise<void>
  close(): Promise<void>
}
