import type { Transaction } from 'kysely'
import { AtelierError, type Clock, checkName, newId, noSuch, type Role } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'
import {
  addGrant,
  insertUser,
  needOperator,
  notByDelegation,
  removeGrant,
  removeUser,
  USERS_MAX,
  writePassword,
} from './accounts.ts'
import type { Grant, User, UserManagement } from './identity.ts'
import { checkPassword, type Passwords } from './passwords.ts'
import { checkRole } from './roles.ts'

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
        await insertUser(tx, user)
        return asUser(user)
      })
    },

    async getUser(by, name) {
      if (by.userName !== name) needOperator(by, 'look at other users')
      const row = await store.db.selectFrom('users').selectAll().where('name', '=', name).executeTakeFirst()
      if (!row) throw noSuch('user', name)
      return asUser(row)
    },

    async listUsers(by, count = USERS_MAX, after) {
      needOperator(by, 'list users')
      let query = store.db.selectFrom('users').selectAll().orderBy('name').limit(count)
      if (after !== undefined) query = query.where('name', '>', after)
      return (await query.execute()).map(asUser)
    },

    async deleteUser(by, name) {
      needOperator(by, 'delete a user')
      const id = await store.transaction(async tx => {
        const userId = await idOf(tx, 'users', name)
        await removeUser(tx, userId)
        return userId
      })
      forgetUser(id)
    },

    async setPassword(by, name, password) {
      if (by.userName !== name) needOperator(by, 'set the password of another user')
      else if (by.delegation) throw notByDelegation()
      checkPassword(password)
      const passwordHash = await passwords.hash(password)
      const id = await store.transaction(async tx => {
        const userId = await idOf(tx, 'users', name)
        await writePassword(tx, userId, passwordHash)
        return userId
      })
      forgetUser(id)
    },

    async grant(by, grant) {
      needOperator(by, 'grant a role')
      checkRole(grant.role)
      const id = await store.transaction(async tx => {
        const row = await rowOf(tx, grant)
        await addGrant(tx, row)
        return row.user_id
      })
      forgetUser(id)
    },

    async ungrant(by, grant) {
      needOperator(by, 'take a role away')
      const id = await store.transaction(async tx => {
        const row = await rowOf(tx, grant)
        if (!(await removeGrant(tx, row)))
          throw new AtelierError(
            'NOT_FOUND',
            `User "${grant.user}" is no ${grant.role} of project "${grant.project}".`,
          )
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

function asUser(row: { id: string; name: string; enabled: number; created_at: number }): User {
  return { id: row.id, name: row.name, enabled: row.enabled === 1, createdAt: row.created_at }
}
