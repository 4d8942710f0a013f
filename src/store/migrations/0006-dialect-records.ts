import type { Migration } from './migration.ts'

/** What dialects must remember beside our own nouns: documents, found by a key or by what they belong to. */
export const dialectRecords: Migration = {
  name: 'dialect records',
  async up(tx) {
    await tx.schema
      .createTable('dialect_records')
      .addColumn('id', 'varchar(64)', column => column.primaryKey())
      .addColumn('kind', 'varchar(40)', column => column.notNull())
      .addColumn('project_id', 'varchar(64)', column => column.notNull())
      .addColumn('parent', 'varchar(255)', column => column.notNull())
      // A digest: keys are longer than what every database can index, and compare by their bytes.
      .addColumn('key_hash', 'varchar(64)')
      .addColumn('key_text', 'text')
      .addColumn('body_json', 'text', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addUniqueConstraint('dialect_records_key', ['kind', 'key_hash'])
      .execute()
    await tx.schema
      .createIndex('dialect_records_by_parent')
      .on('dialect_records')
      .columns(['kind', 'parent', 'created_at', 'id'])
      .execute()
    await tx.schema
      .createIndex('dialect_records_by_project')
      .on('dialect_records')
      .columns(['kind', 'project_id', 'created_at', 'id'])
      .execute()
  },
}
