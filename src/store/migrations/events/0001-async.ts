import { sql } from 'kysely'
import type { EventTables } from '../../event-tables.ts'
import type { SqlDialect } from '../../sql-dialect.ts'
import type { Migration } from '../migration.ts'

/** Asynchronous calls. */
export const asyncCalls: Migration<EventTables> = {
  name: 'async',
  async up(tx, dialect) {
    await tx.schema
      .createTable('async_calls')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('app_name', 'varchar(63)', column => column.notNull())
      .addColumn('function_name', 'varchar(63)', column => column.notNull())
      .addColumn('qualifier', 'varchar(63)')
      .addColumn('trigger_kind', 'varchar(63)', column => column.notNull())
      .addColumn('trigger_name', 'varchar(255)')
      .addColumn('state', 'varchar(10)', column => column.notNull())
      .addColumn('attempts', 'integer', column => column.notNull().defaultTo(0))
      .addColumn('failures', 'integer', column => column.notNull().defaultTo(0))
      .addColumn('recoveries', 'integer', column => column.notNull().defaultTo(0))
      .addColumn('accepted_at', 'bigint', column => column.notNull())
      .addColumn('first_due_at', 'bigint', column => column.notNull())
      .addColumn('due_at', 'bigint', column => column.notNull())
      .addColumn('started_at', 'bigint')
      .addColumn('ended_at', 'bigint')
      .addColumn('kept_until', 'bigint')
      .addColumn('ordering_key', 'varchar(255)')
      .addColumn('owner', 'varchar(63)')
      .addColumn('cancel_requested', 'integer', column => column.notNull().defaultTo(0))
      .addColumn('body_bytes', 'bigint', column => column.notNull())
      .addColumn('http_status', 'integer', column => column.notNull().defaultTo(0))
      .addColumn('result_bytes', 'bigint', column => column.notNull().defaultTo(0))
      .addColumn('failure_json', 'text')
      .addColumn('options_json', 'text')
      .execute()
    const index = (
      name: string,
      columns: ('state' | 'function_id' | 'due_at' | 'project_id' | 'id' | 'kept_until')[],
    ) => tx.schema.createIndex(name).on('async_calls').columns(columns).execute()
    await index('async_calls_turn', ['state', 'function_id', 'due_at'])
    await index('async_calls_by_project', ['project_id', 'id'])
    await index('async_calls_by_function', ['function_id', 'id'])
    await index('async_calls_by_end', ['kept_until'])
    await tx.schema
      .createTable('async_payloads')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('head_json', longTextOf(dialect), column => column.notNull())
      .addColumn('body', bytesOf(dialect))
      .execute()
    await tx.schema
      .createTable('async_results')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('headers_json', longTextOf(dialect), column => column.notNull())
      .addColumn('body', bytesOf(dialect), column => column.notNull())
      .execute()
    await tx.schema
      .createTable('async_order')
      .addColumn('call_id', 'varchar(26)', column => column.primaryKey())
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('key_hash', 'varchar(64)', column => column.notNull())
      .addColumn('seq', 'bigint', column => column.notNull())
      .addUniqueConstraint('async_order_of_key', ['function_id', 'key_hash', 'seq'])
      .execute()
    await tx.schema
      .createTable('async_keys')
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('key_hash', 'varchar(64)', column => column.notNull())
      .addColumn('call_id', 'varchar(26)', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('async_keys_pk', ['function_id', 'key_hash'])
      .execute()
    await tx.schema.createIndex('async_keys_by_expiry').on('async_keys').columns(['expires_at']).execute()
    await tx.schema
      .createTable('async_nodes')
      .addColumn('id', 'varchar(63)', column => column.primaryKey())
      .addColumn('beat', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('async_outbox')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('target_json', 'text', column => column.notNull())
      .addColumn('event', bytesOf(dialect), column => column.notNull())
      .addColumn('hops', 'integer', column => column.notNull())
      .addColumn('attempts', 'integer', column => column.notNull())
      .addColumn('due_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema.createIndex('async_outbox_by_time').on('async_outbox').columns(['due_at']).execute()
  },
}

/** The type of a column that holds more than 64 KiB of text. */
function longTextOf(dialect: SqlDialect) {
  return sql.raw(dialect === 'mysql' ? 'longtext' : 'text')
}

/** The type of a column that holds megabytes of bytes. */
function bytesOf(dialect: SqlDialect) {
  return sql.raw(dialect === 'mysql' ? 'longblob' : dialect === 'postgres' ? 'bytea' : 'blob')
}
