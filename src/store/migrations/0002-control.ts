import type { Migration } from './migration.ts'

/** Apps, functions and all that belongs to them. */
export const control: Migration = {
  name: 'control',
  async up(tx) {
    await tx.schema
      .createTable('apps')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('description', 'text', column => column.notNull())
      .addColumn('config_json', 'text', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addUniqueConstraint('apps_name', ['project_id', 'name'])
      // No cascade from a project: it is deleted only when it is empty.
      .addForeignKeyConstraint('apps_project', ['project_id'], 'projects', ['id'])
      .execute()
    await tx.schema
      .createTable('functions')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('app_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('description', 'text', column => column.notNull())
      .addColumn('access', 'varchar(10)', column => column.notNull())
      .addColumn('latest_version', 'integer', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addUniqueConstraint('functions_name', ['app_id', 'name'])
      .addForeignKeyConstraint('functions_app', ['app_id'], 'apps', ['id'], key => key.onDelete('cascade'))
      .execute()
    await tx.schema
      .createIndex('functions_by_project')
      .on('functions')
      .columns(['project_id', 'id'])
      .execute()
    await tx.schema
      .createTable('versions')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('number', 'integer', column => column.notNull())
      .addColumn('description', 'text', column => column.notNull())
      .addColumn('spec_json', 'text', column => column.notNull())
      .addColumn('own_config_json', 'text', column => column.notNull())
      .addColumn('package_digest', 'varchar(80)', column => column.notNull())
      .addColumn('bundle_digest', 'varchar(80)', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('created_by', 'varchar(63)', column => column.notNull())
      .addUniqueConstraint('versions_number', ['function_id', 'number'])
      .addForeignKeyConstraint('versions_function', ['function_id'], 'functions', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema.createIndex('versions_by_package').on('versions').columns(['package_digest']).execute()
    await tx.schema
      .createTable('aliases')
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('targets_json', 'text', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('aliases_key', ['function_id', 'name'])
      .addForeignKeyConstraint('aliases_function', ['function_id'], 'functions', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema
      .createTable('alias_history')
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('sequence', 'integer', column => column.notNull())
      .addColumn('targets_json', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('alias_history_key', ['function_id', 'name', 'sequence'])
      .addForeignKeyConstraint('alias_history_function', ['function_id'], 'functions', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema
      .createTable('packages')
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('digest', 'varchar(80)', column => column.notNull())
      .addColumn('size_bytes', 'bigint', column => column.notNull())
      .addColumn('file_name', 'varchar(255)', column => column.notNull())
      .addColumn('build_log', 'text', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('packages_key', ['project_id', 'digest'])
      .addForeignKeyConstraint('packages_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema
      .createTable('triggers')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('function_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('space', 'varchar(512)', column => column.notNull())
      .addColumn('host', 'varchar(253)', column => column.notNull())
      .addColumn('methods_json', 'text', column => column.notNull())
      .addColumn('path', 'varchar(512)', column => column.notNull())
      .addColumn('shape', 'varchar(512)', column => column.notNull())
      .addColumn('strip_prefix', 'integer', column => column.notNull())
      .addColumn('alias', 'varchar(63)', column => column.notNull())
      .addColumn('access', 'varchar(10)')
      .addColumn('cors_json', 'text')
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addUniqueConstraint('triggers_name', ['project_id', 'name'])
      .addForeignKeyConstraint('triggers_function', ['function_id'], 'functions', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema.createIndex('triggers_by_space').on('triggers').columns(['space']).execute()
    await tx.schema.createIndex('triggers_by_function').on('triggers').columns(['function_id']).execute()
    await tx.schema
      .createTable('secrets')
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(63)', column => column.notNull())
      .addColumn('sealed', 'text', column => column.notNull())
      .addColumn('revision', 'integer', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('updated_at', 'bigint', column => column.notNull())
      .addPrimaryKeyConstraint('secrets_key', ['project_id', 'name'])
      .addForeignKeyConstraint('secrets_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema
      .createTable('locks')
      .addColumn('name', 'varchar(63)', column => column.primaryKey())
      .addColumn('taken', 'bigint', column => column.notNull())
      .execute()
    await tx.insertInto('locks').values({ name: 'routes', taken: 0 }).execute()
  },
}
