import type { Migration } from './migration.ts'

/** What a function says of its asynchronous calls; null where all is as by default. */
export const asyncSettings: Migration = {
  name: 'async-settings',
  async up(tx) {
    await tx.schema.alterTable('functions').addColumn('async_json', 'text').execute()
  },
}
