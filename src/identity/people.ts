import { randomBytes } from 'node:crypto'
import type { Selectable, Updateable } from 'kysely'
import { AtelierError, type Clock, checkName, invalidField, newId, noSuch } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'
import {
  insertUser,
  needAnOperatorLeft,
  needFreeName,
  needOperator,
  notByDelegation,
  removeUser,
  USERS_MAX,
  writePassword,
} from './accounts.ts'
import type { Door } from './login.ts'
import { checkPassword, type Passwords } from './passwords.ts'
import type { Session } from './session.ts'
import { endSessionsOf } from './sessions.ts'

const EMAIL_CHARACTERS_MAX = 255
const DESCRIPTION_CHARACTERS_MAX = 1000

/** A user as the identity API shows them. */
export interface Person {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly description: string | undefined
  readonly email: string | undefined
  readonly defaultProjectId: string | undefined
}

/** What may be said of a user; `null` takes away what was said. */
export interface PersonChange {
  readonly name?: string
  /** Ends every session. `null`, for a new user: none, so that nobody can log in as it. */
  readonly password?: string | null
  /** Switching off ends every session, and switching on again brings none back. */
  readonly enabled?: boolean
  readonly description?: string | null
  readonly email?: string | null
  readonly defaultProjectId?: string | null
}

/** Users by id. Looking at oneself is everybody's; the rest needs an operator, else FORBIDDEN. */
export interface People {
  getPerson(by: Session, id: string): Promise<Person>
  listPeople(
    by: Session,
    filter: { readonly name?: string; readonly enabled?: boolean },
  ): Promise<readonly Person[]>
  createPerson(by: Session, input: PersonChange & { readonly name: string }): Promise<Person>
  updatePerson(by: Session, id: string, change: PersonChange): Promise<Person>
  deletePerson(by: Session, id: string): Promise<void>
  /** Needs no token but the password that was. UNAUTHENTICATED, TOO_MANY_REQUESTS as a login. */
  changePassword(input: {
    readonly userId: string
    readonly original: string
    readonly password: string
    readonly client?: string
  }): Promise<void>
}

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly passwords: Passwords
  readonly door: Door
  readonly forgetUser: (userId: string) => void
}

export function people({ store, clock, passwords, door, forgetUser }: Parts): People {
  async function find(id: string): Promise<Selectable<Tables['users']>> {
    const row = await store.db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
    if (!row) throw noSuch('user', id)
    return row
  }

  return {
    async getPerson(by, id) {
      if (by.user.id !== id) needOperator(by, 'look at other users')
      return asPerson(await find(id))
    },

    async listPeople(by, { name, enabled }) {
      needOperator(by, 'list users')
      let query = store.db.selectFrom('users').selectAll().orderBy('name').limit(USERS_MAX)
      if (name !== undefined) query = query.where('name', '=', name)
      if (enabled !== undefined) query = query.where('enabled', '=', enabled ? 1 : 0)
      return (await query.execute()).map(asPerson)
    },

    async createPerson(by, input) {
      needOperator(by, 'create a user')
      check(input)
      const { password, enabled = true } = input
      // A user without a password has one that nobody knows.
      const secret = password ?? randomBytes(32).toString('base64url')
      const passwordHash = await passwords.hash(secret)
      const now = clock.now()
      const row = {
        id: newId(now),
        name: input.name,
        password_hash: passwordHash,
        enabled: enabled ? 1 : 0,
        created_at: now,
        description: input.description ?? null,
        email: input.email ?? null,
        default_project_id: input.defaultProjectId ?? null,
      }
      await store.transaction(tx => insertUser(tx, row))
      return asPerson(row)
    },

    async updatePerson(by, id, change) {
      needOperator(by, 'change a user')
      const changesLogin = [change.name, change.password, change.enabled].some(each => each !== undefined)
      if (isDelegated(by) && by.user.id === id && changesLogin) throw notByDelegation()
      check(change)
      await find(id)
      const passwordHash =
        typeof change.password === 'string' ? await passwords.hash(change.password) : undefined
      await store.transaction(async tx => {
        const before = await tx.selectFrom('users').select('name').where('id', '=', id).executeTakeFirst()
        if (!before) throw noSuch('user', id)
        if (change.name !== undefined && change.name !== before.name) await needFreeName(tx, change.name)
        const columns = columnsOf(change)
        if (Object.keys(columns).length > 0)
          await tx.updateTable('users').set(columns).where('id', '=', id).execute()
        if (passwordHash !== undefined) await writePassword(tx, id, passwordHash)
        if (change.enabled === false) {
          await endSessionsOf(tx, id)
          await needAnOperatorLeft(tx)
        }
      })
      forgetUser(id)
      return asPerson(await find(id))
    },

    async deletePerson(by, id) {
      needOperator(by, 'delete a user')
      await find(id)
      await store.transaction(tx => removeUser(tx, id))
      forgetUser(id)
    },

    async changePassword({ userId, original, password, client }) {
      const user = await door.withPassword({ id: userId }, original, client, async each => each)
      checkPassword(password)
      const passwordHash = await passwords.hash(password)
      await store.transaction(async tx => {
        const now = await tx
          .selectFrom('users')
          .select('password_hash')
          .where('id', '=', user.id)
          .executeTakeFirst()
        if (now?.password_hash !== user.passwordHash)
          throw new AtelierError('CONFLICT', 'The password was changed by somebody else meanwhile.')
        await writePassword(tx, user.id, passwordHash)
      })
      forgetUser(user.id)
    },
  }
}

/** Whether a session is less than its user's own. */
export function isDelegated(session: Session): boolean {
  return session.trust !== undefined || session.credential !== undefined
}

function check({ name, password, description, email }: PersonChange): void {
  if (name !== undefined) checkName(name, 'name')
  if (typeof password === 'string') checkPassword(password)
  checkLength('description', description, DESCRIPTION_CHARACTERS_MAX)
  checkLength('email', email, EMAIL_CHARACTERS_MAX)
}

function checkLength(field: string, text: string | null | undefined, max: number): void {
  if ((text?.length ?? 0) > max) throw invalidField(field, `has more than ${max} characters`)
}

function columnsOf(change: PersonChange): Updateable<Tables['users']> {
  const { name, enabled, description, email, defaultProjectId } = change
  return {
    ...(name !== undefined && { name }),
    ...(enabled !== undefined && { enabled: enabled ? 1 : 0 }),
    ...(description !== undefined && { description }),
    ...(email !== undefined && { email }),
    ...(defaultProjectId !== undefined && { default_project_id: defaultProjectId }),
  }
}

function asPerson(row: Selectable<Tables['users']>): Person {
  return {
    id: row.id,
    name: row.name,
    enabled: row.enabled === 1,
    description: row.description ?? undefined,
    email: row.email ?? undefined,
    defaultProjectId: row.default_project_id ?? undefined,
  }
}
