import type { Insertable, Transaction } from 'kysely'
import { AtelierError, type Role } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type Db, rolesIn } from './roles.ts'
import { endSessionsOf } from './sessions.ts'

export const USERS_MAX = 100_000

// What users and grants are made of, below who may do it: each within somebody's transaction.

/** Throws FORBIDDEN. */
export function needOperator(by: { readonly roles: readonly Role[] }, what: string): void {
  if (!by.roles.includes('admin'))
    throw new AtelierError('FORBIDDEN', `Only an operator (role admin) may ${what}.`)
}

/** CONFLICT for a name that is taken. */
export async function insertUser(tx: Transaction<Tables>, row: Insertable<Tables['users']>): Promise<void> {
  const { count } = await tx
    .selectFrom('users')
    .select(select => select.fn.countAll<number | string>().as('count'))
    .executeTakeFirstOrThrow()
  if (Number(count) >= USERS_MAX)
    throw new AtelierError('QUOTA_EXCEEDED', `There are ${USERS_MAX} users, which is the most.`)
  await needFreeName(tx, row.name)
  await tx.insertInto('users').values(row).execute()
}

/** Throws CONFLICT. */
export async function needFreeName(tx: Transaction<Tables>, name: string): Promise<void> {
  const existing = await tx.selectFrom('users').select('id').where('name', '=', name).executeTakeFirst()
  if (existing) throw new AtelierError('CONFLICT', `There is a user "${name}" already.`)
}

/** A new password ends every session. */
export async function writePassword(
  tx: Transaction<Tables>,
  userId: string,
  passwordHash: string,
): Promise<void> {
  await tx.updateTable('users').set({ password_hash: passwordHash }).where('id', '=', userId).execute()
  await endSessionsOf(tx, userId)
}

/** With grants, sessions, trusts and credentials. CONFLICT for the last operator. */
export async function removeUser(tx: Transaction<Tables>, userId: string): Promise<void> {
  await tx.deleteFrom('users').where('id', '=', userId).execute()
  await needAnOperatorLeft(tx)
}

export interface GrantRow {
  readonly user_id: string
  readonly project_id: string
  readonly role: Role
}

export async function hasGrant(db: Db, row: GrantRow): Promise<boolean> {
  const found = await db
    .selectFrom('grants')
    .select('role')
    .where('user_id', '=', row.user_id)
    .where('project_id', '=', row.project_id)
    .where('role', '=', row.role)
    .executeTakeFirst()
  return found !== undefined
}

export async function addGrant(tx: Transaction<Tables>, row: GrantRow): Promise<void> {
  if (!(await hasGrant(tx, row))) await tx.insertInto('grants').values(row).execute()
}

/**
 * Takes a role away, and with it what was made of it: the user's application credentials there, and tokens when nothing is
 * left. Resolves with whether there was one; CONFLICT when nobody would operate the platform any more.
 */
export async function removeGrant(tx: Transaction<Tables>, row: GrantRow): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('grants')
    .where('user_id', '=', row.user_id)
    .where('project_id', '=', row.project_id)
    .where('role', '=', row.role)
    .executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await needAnOperatorLeft(tx)
  await tx
    .deleteFrom('application_credentials')
    .where('user_id', '=', row.user_id)
    .where('project_id', '=', row.project_id)
    .execute()
  if (!(await rolesIn(tx, row.user_id, { id: row.project_id })))
    await tx
      .deleteFrom('sessions')
      .where('user_id', '=', row.user_id)
      .where('project_id', '=', row.project_id)
      .execute()
  return true
}

/** Throws CONFLICT when nobody who may log in operates the platform. */
export async function needAnOperatorLeft(tx: Transaction<Tables>): Promise<void> {
  const left = await tx
    .selectFrom('grants')
    .innerJoin('users', 'users.id', 'grants.user_id')
    .select('users.id')
    .where('grants.role', '=', 'admin')
    .where('users.enabled', '=', 1)
    .limit(1)
    .executeTakeFirst()
  if (!left)
    throw new AtelierError(
      'CONFLICT',
      'This would leave nobody who operates the platform: grant admin to another user first.',
    )
}

/** Who acts for a user without the password must not come by one. */
export function notByDelegation(): AtelierError {
  return new AtelierError(
    'FORBIDDEN',
    'A token of a trust or an application credential may not change the login of the user that it acts for.',
  )
}
