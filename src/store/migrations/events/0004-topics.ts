import { sql } from 'kysely'
import type { EventTables } from '../../event-tables.ts'
import type { Migration } from '../migration.ts'

/** Topics and their messages. */
export const topics: Migration<EventTables> = {
  name: 'topics',
  async up(tx, dialect) {
    const bytes = sql.raw(dialect === 'mysql' ? 'longblob' : dialect === 'postgres' ? 'bytea' : 'blob')
    await tx.schema
      .createTable('topics')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('age_ms', 'bigint', column => column.notNull())
      .addColumn('messages_max', 'bigint', column => column.notNull())
      .addColumn('bytes_max', 'bigint', column => column.notNull())
      .addColumn('first_position', 'bigint', column => column.notNull())
      .addColumn('last_position', 'bigint', column => column.notNull())
      .addColumn('bytes', 'bigint', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createIndex('topics_by_name')
      .on('topics')
      .columns(['project_id', 'name'])
      .unique()
      .execute()
    await tx.schema
      .createTable('topic_messages')
      .addColumn('topic_id', 'varchar(26)', column => column.notNull())
      .addColumn('position', 'bigint', column => column.notNull())
      .addColumn('message_id', 'varchar(255)', column => column.notNull())
      .addColumn('message_key', 'varchar(255)')
      .addColumn('content_type', 'varchar(255)', column => column.notNull())
      .addColumn('attributes_json', 'text', column => column.notNull())
      .addColumn('data', bytes, column => column.notNull())
      .addColumn('bytes', 'bigint', column => column.notNull())
      .addColumn('published_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('topic_messages_pk', ['topic_id', 'position'])
      .execute()
    const index = (name: string, columns: ('topic_id' | 'message_id' | 'published_at')[]) =>
      tx.schema.createIndex(name).on('topic_messages').columns(columns)
    await index('topic_messages_by_id', ['topic_id', 'message_id']).unique().execute()
    await index('topic_messages_by_time', ['topic_id', 'published_at']).execute()
  },
}
