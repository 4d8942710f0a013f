import type { Migration } from './migration.ts'

/** Answers to requests that carried an idempotency key. */
export const idempotency: Migration = {
  name: 'idempotency',
  async up(tx) {
    await tx.schema
      .createTable('idempotency_keys')
      .addColumn('id', 'varchar(64)', column => column.primaryKey())
      .addColumn('owner', 'varchar(60)', column => column.notNull())
      .addColumn('fingerprint', 'varchar(64)', column => column.notNull())
      .addColumn('state', 'varchar(10)', column => column.notNull())
      .addColumn('process', 'varchar(26)', column => column.notNull())
      .addColumn('status', 'integer', column => column.notNull())
      .addColumn('headers_json', 'text', column => column.notNull())
      .addColumn('body', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createIndex('idempotency_by_expiry')
      .on('idempotency_keys')
      .columns(['expires_at'])
      .execute()
    await tx.schema
      .createIndex('idempotency_by_owner')
      .on('idempotency_keys')
      .columns(['owner', 'created_at'])
      .execute()
  },
}
