import { sql } from 'kysely'
import type { EventTables } from '../../event-tables.ts'
import type { Migration } from '../migration.ts'

/** Recorded requests. */
export const hookRequests: Migration<EventTables> = {
  name: 'hook requests',
  async up(tx, dialect) {
    const bytes = sql.raw(dialect === 'mysql' ? 'longblob' : dialect === 'postgres' ? 'bytea' : 'blob')
    await tx.schema
      .createTable('hook_requests')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('trigger_id', 'varchar(26)', column => column.notNull())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('received_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .addColumn('head_json', 'text', column => column.notNull())
      .addColumn('body', bytes, column => column.notNull())
      .addColumn('kept_bytes', 'integer', column => column.notNull())
      .addColumn('body_bytes', 'integer', column => column.notNull())
      .addColumn('outcome', 'varchar(20)', column => column.notNull())
      .addColumn('detail', 'text')
      .addColumn('call_id', 'varchar(26)')
      .execute()
    const index = (name: string, columns: ('trigger_id' | 'project_id' | 'id' | 'expires_at')[]) =>
      tx.schema.createIndex(name).on('hook_requests').columns(columns).execute()
    await index('hook_requests_by_trigger', ['trigger_id', 'id'])
    await index('hook_requests_by_project', ['project_id', 'id'])
    await index('hook_requests_by_expiry', ['expires_at'])
  },
}
