import type { Migration } from './migration.ts'

/** Projects, and who may do what in them. */
export const identity: Migration = {
  name: 'identity',
  async up(tx) {
    await tx.schema
      .createTable('projects')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('name', 'varchar(63)', column => column.notNull().unique())
      .addColumn('description', 'text', column => column.notNull())
      .addColumn('enabled', 'integer', column => column.notNull())
      .addColumn('quota_json', 'text', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('users')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('name', 'varchar(63)', column => column.notNull().unique())
      .addColumn('password_hash', 'varchar(255)', column => column.notNull())
      .addColumn('enabled', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .execute()
    await tx.schema
      .createTable('grants')
      .addColumn('user_id', 'varchar(26)', column => column.notNull())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('role', 'varchar(10)', column => column.notNull())
      .addPrimaryKeyConstraint('grants_key', ['user_id', 'project_id', 'role'])
      .addForeignKeyConstraint('grants_user', ['user_id'], 'users', ['id'], key => key.onDelete('cascade'))
      .addForeignKeyConstraint('grants_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema.createIndex('grants_by_project').on('grants').columns(['project_id']).execute()
    await tx.schema
      .createTable('tokens')
      .addColumn('hash', 'varchar(64)', column => column.primaryKey())
      .addColumn('id', 'varchar(26)', column => column.notNull().unique())
      .addColumn('user_id', 'varchar(26)', column => column.notNull())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('description', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .addForeignKeyConstraint('tokens_user', ['user_id'], 'users', ['id'], key => key.onDelete('cascade'))
      .addForeignKeyConstraint('tokens_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema.createIndex('tokens_by_expiry').on('tokens').columns(['expires_at']).execute()
    await tx.schema.createIndex('tokens_by_user').on('tokens').columns(['user_id']).execute()
  },
}
