import type { Transaction } from 'kysely'
import { AtelierError, type Clock, checkName, newId, type Principal, type Role } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'
import { type Grant, may, type User, type UserManagement } from './identity.ts'
import { checkPassword, type Passwords } from './passwords.ts'

const USERS_MAX = 100_000
const ROLES: readonly Role[] = ['admin', 'member', 'reader']

/** The part of the embedded identity that manages users and their roles. */
export function userManagement({
  store,
  clock,
  passwords,
  forgetUser,
}: {
  store: Store
  clock: Clock
  passwords: Passwords
  /** Drops what is cached of a user whose rights have changed. */
  readonly forgetUser: (userId: string) => void
}): UserManagement {
  return {
    async createUser(by, { name, password }) {
      needOperator(by, 'create a user')
      checkName(name, 'name')
      checkPassword(password)
      const passwordHash = await passwords.hash(password)
      const now = clock.now()
      const user = { id: newId(now), name, password_hash: passwordHash, enabled: 1, created_at: now }
      return store.transaction(async tx => {
        const { count } = await tx
          .selectFrom('users')
          .select(select => select.fn.countAll<number | string>().as('count'))
          .executeTakeFirstOrThrow()
        if (Number(count) >= USERS_MAX)
          throw new AtelierError('QUOTA_EXCEEDED', `There are ${USERS_MAX} users, which is the most.`)
        const existing = await tx.selectFrom('users').select('id').where('name', '=', name).executeTakeFirst()
        if (existing) throw new AtelierError('CONFLICT', `There is a user "${name}" already.`)
        await tx.insertInto('users').values(user).execute()
        return asUser(user)
      })
    },

    async getUser(by, name) {
      if (by.userName !== name) needOperator(by, 'look at other users')
      const row = await store.db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst()
      if (!row) throw noSuch('user', name)
      return asUser(row)
    },

    async listUsers(by) {
      needOperator(by, 'list users')
      const rows = await store.db.selectFrom('users').selectAll().orderBy('name').limit(USERS_MAX).execute()
      return rows.map(asUser)
    },

    async deleteUser(by, name) {
      needOperator(by, 'delete a user')
      const id = await store.transaction(async tx => {
        const userId = await idOf(tx, 'users', name)
        await tx.deleteFrom('tokens').where('user_id', '=', userId).execute()
        await tx.deleteFrom('grants').where('user_id', '=', userId).execute()
        await tx.deleteFrom('users').where('id', '=', userId).execute()
        await needAnOperatorLeft(tx)
        return userId
      })
      forgetUser(id)
    },

    async setPassword(by, name, password) {
      if (by.userName !== name) needOperator(by, 'set the password of another user')
      checkPassword(password)
      const passwordHash = await passwords.hash(password)
      const id = await store.transaction(async tx => {
        const userId = await idOf(tx, 'users', name)
        await tx.updateTable('users').set({ password_hash: passwordHash }).where('id', '=', userId).execute()
        await tx.deleteFrom('tokens').where('user_id', '=', userId).execute()
        return userId
      })
      forgetUser(id)
    },

    async grant(by, grant) {
      needOperator(by, 'grant a role')
      checkRole(grant.role)
      const id = await store.transaction(async tx => {
        const row = await rowOf(tx, grant)
        const granted = await tx
          .selectFrom('grants')
          .select('role')
          .where('user_id', '=', row.user_id)
          .where('project_id', '=', row.project_id)
          .where('role', '=', row.role)
          .executeTakeFirst()
        if (!granted) await tx.insertInto('grants').values(row).execute()
        return row.user_id
      })
      forgetUser(id)
    },

    async ungrant(by, grant) {
      needOperator(by, 'take a role away')
      const id = await store.transaction(async tx => {
        const row = await rowOf(tx, grant)
        const { numDeletedRows } = await tx
          .deleteFrom('grants')
          .where('user_id', '=', row.user_id)
          .where('project_id', '=', row.project_id)
          .where('role', '=', row.role)
          .executeTakeFirst()
        if (numDeletedRows === 0n)
          throw new AtelierError(
            'NOT_FOUND',
            `User "${grant.user}" is no ${grant.role} of project "${grant.project}".`,
          )
        await needAnOperatorLeft(tx)
        return row.user_id
      })
      forgetUser(id)
    },

    async listGrants(by, project) {
      needOperator(by, 'list the grants of a project')
      const projectId = await store.db
        .selectFrom('projects')
        .select('id')
        .where('name', '=', project)
        .executeTakeFirst()
      if (!projectId) throw noSuch('project', project)
      const rows = await store.db
        .selectFrom('grants')
        .innerJoin('users', 'users.id', 'grants.user_id')
        .select(['users.name', 'grants.role'])
        .where('grants.project_id', '=', projectId.id)
        .orderBy('users.name')
        .orderBy('grants.role')
        .execute()
      return rows.map(row => ({ user: row.name, project, role: row.role }))
    },
  }
}

function needOperator(by: Principal, what: string): void {
  if (!may(by, 'operate')) throw new AtelierError('FORBIDDEN', `Only an operator (role admin) may ${what}.`)
}

async function needAnOperatorLeft(tx: Transaction<Tables>): Promise<void> {
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

async function rowOf(
  tx: Transaction<Tables>,
  { user, project, role }: Grant,
): Promise<{ user_id: string; project_id: string; role: Role }> {
  return { user_id: await idOf(tx, 'users', user), project_id: await idOf(tx, 'projects', project), role }
}

async function idOf(tx: Transaction<Tables>, table: 'users' | 'projects', name: string): Promise<string> {
  const row = await tx.selectFrom(table).select('id').where('name', '=', name).executeTakeFirst()
  if (!row) throw noSuch(table === 'users' ? 'user' : 'project', name)
  return row.id
}

function noSuch(kind: string, name: string): AtelierError {
  return new AtelierError('NOT_FOUND', `There is no ${kind} ${JSON.stringify(name.slice(0, 80))}.`)
}

function checkRole(role: string): void {
  if ((ROLES as readonly string[]).includes(role)) return
  const detail = `must be one of ${ROLES.join(', ')}`
  throw new AtelierError('INVALID_INPUT', `role ${detail}.`, { errors: [{ pointer: 'role', detail }] })
}

function asUser(row: { id: string; name: string; enabled: number; created_at: number }): User {
  return { id: row.id, name: row.name, enabled: row.enabled === 1, createdAt: row.created_at }
}
