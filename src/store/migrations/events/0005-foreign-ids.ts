import type { EventTables } from '../../event-tables.ts'
import type { Migration } from '../migration.ts'
import { widen } from '../widen.ts'

/** Projects of an identity service outside of here have its ids. */
export const foreignIds: Migration<EventTables> = {
  name: 'foreign ids',
  async up(tx, dialect) {
    const holders = ['async_calls', 'async_outbox', 'hook_requests', 'topics']
    await widen(
      tx,
      dialect,
      holders.map(table => ({ table, column: 'project_id', characters: 64 })),
    )
  },
}
