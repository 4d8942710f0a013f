import type { Migration } from './migration.ts'

/** What users lent to functions, until it is given back: apart from versions, which go without asking. */
export const functionTrusts: Migration = {
  name: 'function trusts',
  async up(tx) {
    await tx.schema
      .createTable('function_trusts')
      .addColumn('trust_id', 'varchar(64)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(64)', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .execute()
  },
}
