import type { Migration } from './migration.ts'

/** Triggers beside HTTP: what makes events of one source into calls of one function. */
export const eventTriggers: Migration = {
  name: 'event triggers',
  async up(tx) {
    await tx.schema
      .createTable('event_triggers')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('kind', 'varchar(20)', column => column.notNull())
      .addColumn('alias', 'varchar(63)', column => column.notNull())
      .addColumn('format', 'varchar(30)', column => column.notNull())
      .addColumn('config_json', 'text', column => column.notNull())
      .addColumn('sealed', 'text')
      .addColumn('tokens_sealed', 'text')
      .addColumn('paused', 'integer', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addUniqueConstraint('event_triggers_name', ['project_id', 'name'])
      .addForeignKeyConstraint('event_triggers_function', ['function_id'], 'functions', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema
      .createIndex('event_triggers_by_function')
      .on('event_triggers')
      .columns(['function_id'])
      .execute()
    // Names are unique over both tables of triggers, which no constraint of one of them can see to.
    await tx.insertInto('locks').values({ name: 'trigger names', taken: 0 }).execute()
  },
}
