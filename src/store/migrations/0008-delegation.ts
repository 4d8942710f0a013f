import { sql } from 'kysely'
import type { Migration } from './migration.ts'

/**
 * Tokens of every kind: for a project or for none, of a user, of a trust, of an application credential. Sessions take the
 * place of the first table of tokens, whose project could not be missing.
 */
export const delegation: Migration = {
  name: 'delegation',
  async up(tx) {
    await tx.schema.alterTable('users').addColumn('description', 'text').execute()
    await tx.schema.alterTable('users').addColumn('email', 'varchar(255)').execute()
    await tx.schema.alterTable('users').addColumn('default_project_id', 'varchar(26)').execute()
    await tx.schema
      .createTable('trusts')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('trustor_id', 'varchar(26)', column => column.notNull())
      .addColumn('trustee_id', 'varchar(26)', column => column.notNull())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('impersonation', 'integer', column => column.notNull())
      .addColumn('roles', 'varchar(100)', column => column.notNull())
      .addColumn('remaining_uses', 'integer')
      .addColumn('expires_at', 'bigint')
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addForeignKeyConstraint('trusts_trustor', ['trustor_id'], 'users', ['id'], key =>
        key.onDelete('cascade'),
      )
      .addForeignKeyConstraint('trusts_trustee', ['trustee_id'], 'users', ['id'], key =>
        key.onDelete('cascade'),
      )
      .addForeignKeyConstraint('trusts_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema.createIndex('trusts_by_trustor').on('trusts').columns(['trustor_id']).execute()
    await tx.schema.createIndex('trusts_by_trustee').on('trusts').columns(['trustee_id']).execute()
    await tx.schema.createIndex('trusts_by_project').on('trusts').columns(['project_id']).execute()
    await tx.schema
      .createTable('application_credentials')
      .addColumn('id', 'varchar(26)', column => column.primaryKey())
      .addColumn('user_id', 'varchar(26)', column => column.notNull())
      .addColumn('project_id', 'varchar(26)', column => column.notNull())
      .addColumn('name', 'varchar(255)', column => column.notNull())
      .addColumn('description', 'text')
      .addColumn('secret_hash', 'varchar(255)', column => column.notNull())
      .addColumn('roles', 'varchar(100)', column => column.notNull())
      .addColumn('unrestricted', 'integer')
      .addColumn('access_rules_json', 'text')
      .addColumn('expires_at', 'bigint')
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addUniqueConstraint('application_credentials_name', ['user_id', 'name'])
      .addForeignKeyConstraint('application_credentials_user', ['user_id'], 'users', ['id'], key =>
        key.onDelete('cascade'),
      )
      .addForeignKeyConstraint('application_credentials_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .execute()
    await tx.schema
      .createIndex('application_credentials_by_project')
      .on('application_credentials')
      .columns(['project_id'])
      .execute()
    await tx.schema
      .createTable('sessions')
      .addColumn('hash', 'varchar(64)', column => column.primaryKey())
      .addColumn('id', 'varchar(26)', column => column.notNull().unique())
      .addColumn('chain_id', 'varchar(26)', column => column.notNull())
      .addColumn('user_id', 'varchar(26)', column => column.notNull())
      .addColumn('proven_by', 'varchar(26)', column => column.notNull())
      .addColumn('project_id', 'varchar(26)')
      .addColumn('trust_id', 'varchar(26)')
      .addColumn('credential_id', 'varchar(26)')
      .addColumn('methods', 'varchar(100)', column => column.notNull())
      .addColumn('created_at', 'bigint', column => column.notNull())
      .addColumn('expires_at', 'bigint', column => column.notNull())
      .addForeignKeyConstraint('sessions_user', ['user_id'], 'users', ['id'], key => key.onDelete('cascade'))
      .addForeignKeyConstraint('sessions_prover', ['proven_by'], 'users', ['id'], key =>
        key.onDelete('cascade'),
      )
      .addForeignKeyConstraint('sessions_project', ['project_id'], 'projects', ['id'], key =>
        key.onDelete('cascade'),
      )
      .addForeignKeyConstraint('sessions_trust', ['trust_id'], 'trusts', ['id'], key =>
        key.onDelete('cascade'),
      )
      .addForeignKeyConstraint(
        'sessions_credential',
        ['credential_id'],
        'application_credentials',
        ['id'],
        key => key.onDelete('cascade'),
      )
      .execute()
    for (const column of ['expires_at', 'user_id', 'proven_by', 'project_id', 'trust_id', 'credential_id'])
      await tx.schema.createIndex(`sessions_by_${column}`).on('sessions').columns([column]).execute()
    await sql`insert into sessions
      (hash, id, chain_id, user_id, proven_by, project_id, methods, created_at, expires_at)
      select hash, id, id, user_id, user_id, project_id, 'password', created_at, expires_at from tokens`.execute(
      tx,
    )
    await tx.schema.dropTable('tokens').execute()
  },
}
