import type { Migration } from './migration.ts'

/** The weakest isolation that a project's functions may have; absent: their own choice. */
export const isolation: Migration = {
  name: 'isolation',
  async up(tx) {
    await tx.schema.alterTable('projects').addColumn('isolation_min', 'varchar(20)').execute()
  },
}
