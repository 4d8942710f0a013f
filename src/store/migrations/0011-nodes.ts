import { sql } from 'kysely'
import type { Migration } from './migration.ts'

/** Several servers on one database. */
export const nodes: Migration = {
  name: 'nodes',
  async up(tx, dialect) {
    const bytes = sql.raw(dialect === 'mysql' ? 'longblob' : dialect === 'postgres' ? 'bytea' : 'blob')
    await tx.schema
      .createTable('nodes')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('url', 'varchar(512)', column => column.notNull())
      .addColumn('version', 'varchar(63)', column => column.notNull())
      .addColumn('beat', 'bigint', column => column.notNull())
      .addColumn('started_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('leases')
      .addColumn('name', 'varchar(63)', column => column.primaryKey())
      .addColumn('owner', 'varchar(26)', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('publications')
      .addColumn('number', 'bigint', column => column.primaryKey())
      .addColumn('node', 'varchar(26)', column => column.notNull())
      .addColumn('note_json', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('facts')
      .addColumn('name', 'varchar(63)', column => column.primaryKey())
      .addColumn('value', 'text', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('blobs')
      .addColumn('name', 'varchar(100)', column => column.primaryKey())
      .addColumn('upload', 'varchar(26)', column => column.notNull())
      .addColumn('parts', 'integer', column => column.notNull())
      .addColumn('size_bytes', 'bigint', column => column.notNull())
      .addColumn('sha256', 'varchar(64)', column => column.notNull())
      .addColumn('used_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('blob_parts')
      .addColumn('upload', 'varchar(26)', column => column.notNull())
      .addColumn('number', 'integer', column => column.notNull())
      .addColumn('content', bytes, column => column.notNull())
      .addPrimaryKeyConstraint('blob_parts_key', ['upload', 'number'])
      .execute()
  },
}
