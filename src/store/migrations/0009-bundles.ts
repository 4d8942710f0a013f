import type { Migration } from './migration.ts'

/** What was built, for quotas of storage. Bundles of before count nothing until their versions are deployed anew. */
export const bundles: Migration = {
  name: 'bundles',
  async up(tx) {
    await tx.schema
      .createTable('bundles')
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('digest', 'varchar(80)', column => column.notNull())
      .addColumn('kind', 'varchar(12)', column => column.notNull())
      .addColumn('size_bytes', 'bigint', column => column.notNull())
      .addColumn('dependencies', 'varchar(80)')
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('bundles_key', ['project_id', 'digest'])
      .addForeignKeyConstraint('bundles_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema.createIndex('versions_by_bundle').on('versions').columns(['bundle_digest']).execute()
  },
}
