import type { Transaction } from 'kysely'
import type { SqlDialect } from '../sql-dialect.ts'
import type { Tables } from '../tables.ts'

/**
 * One step of the tables' history. Written with Kysely's schema builder in what SQLite, MySQL and PostgreSQL share: keys
 * are `varchar` with a length, times `bigint`, flags and counts `integer`, the rest `text`.
 */
export interface Migration<T = Tables> {
  readonly name: string
  up(tx: Transaction<T>, dialect: SqlDialect): Promise<void>
}

/** All tables of a store, as the steps that led to them. */
export interface Layout<T> {
  /** Where the steps taken are noted: two layouts may share a database. */
  readonly notes: 'migrations' | 'event_migrations'
  /** In order; its place is its number. A step that was released is never changed, moved or removed. */
  readonly steps: readonly Migration<T>[]
}
