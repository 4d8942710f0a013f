import type { Transaction } from 'kysely'
import type { Tables } from '../tables.ts'
import { identity } from './0001-identity.ts'
import { control } from './0002-control.ts'
import { idempotency } from './0003-idempotency.ts'
import { asyncSettings } from './0004-async-settings.ts'

/**
 * One step of the tables' history. Written with Kysely's schema builder in what SQLite, MySQL and PostgreSQL share: keys
 * are `varchar` with a length, times `bigint`, flags and counts `integer`, the rest `text`.
 */
export interface Migration {
  readonly name: string
  up(tx: Transaction<Tables>): Promise<void>
}

/** In order; its place is its number. A step that was released is never changed, moved or removed. */
export const MIGRATIONS: readonly Migration[] = [identity, control, idempotency, asyncSettings]
