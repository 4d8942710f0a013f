import type { EventTables } from '../../event-tables.ts'
import type { Migration } from '../migration.ts'

/** How event triggers do. */
export const triggerStates: Migration<EventTables> = {
  name: 'trigger states',
  async up(tx) {
    await tx.schema
      .createTable('trigger_states')
      .addColumn('trigger_id', 'varchar(26)', column => column.primaryKey())
      .addColumn('state_json', 'text', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .execute()
  },
}
