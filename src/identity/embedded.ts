import { randomBytes } from 'node:crypto'
import { AtelierError, type Clock, newId, type Principal } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import type { EmbeddedIdentity, IssuedToken, LoginInput } from './identity.ts'
import { Passwords } from './passwords.ts'
import { rolesIn } from './roles.ts'
import { Throttle } from './throttle.ts'
import { hashToken, isToken, newToken, TokenCache } from './tokens.ts'
import { userManagement } from './users.ts'

const HOUR_MS = 3_600_000
const TTL_MS_DEFAULT = 24 * HOUR_MS
const TTL_MS_MIN = 60_000
const TTL_MS_MAX = 366 * 24 * HOUR_MS
const TOKENS_PER_USER_MAX = 1_000 // the oldest ends when one more is issued

/** Users, roles and tokens in our own store; see `EmbeddedIdentity`. `passwordCost` is for tests: see `Passwords`. */
export async function createEmbeddedIdentity({
  store,
  clock,
  passwordCost,
}: {
  store: Store
  clock: Clock
  passwordCost?: number
}): Promise<EmbeddedIdentity> {
  const passwords = new Passwords(passwordCost)
  const cache = new TokenCache()
  // From one place a few mistakes; from everywhere many, and then a wait that annoys a guesser more than a person.
  const throttleHere = new Throttle({ failuresFree: 5, delayMsMax: 60_000 })
  const throttleUser = new Throttle({ failuresFree: 50, delayMsMax: 10_000 })

  async function login(input: LoginInput): Promise<IssuedToken> {
    const ttlMs = checkTtl(input.ttlMs)
    const here = `${input.client ?? ''} ${input.user.slice(0, 100)}`
    const now = clock.now()
    const waitMs = Math.max(
      throttleHere.waitMs(here, now),
      throttleUser.waitMs(input.user.slice(0, 100), now),
    )
    if (waitMs > 0)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many logins failed; wait before the next try.', {
        retryAfterS: Math.ceil(waitMs / 1000),
      })
    throttleHere.begin(here, now)
    throttleUser.begin(input.user.slice(0, 100), now)
    const user = await store.db
      .selectFrom('users')
      .select(['id', 'name', 'password_hash', 'enabled'])
      .where('name', '=', input.user)
      .executeTakeFirst()
    const right = await passwords.verify(input.password, user?.password_hash)
    const place = user && right && user.enabled === 1 ? await placeOf(user.id, input.project) : undefined
    if (!user || !place) throw new AtelierError('UNAUTHENTICATED', 'User, password or project is wrong.')
    throttleHere.succeed(here)
    throttleUser.succeed(input.user.slice(0, 100))
    return issue({ ...user, passwordHash: user.password_hash }, place, ttlMs)
  }

  /** Where this user wants to work and may, or `undefined`. */
  async function placeOf(userId: string, project: string | undefined): Promise<Place | undefined> {
    if (project !== undefined) return rolesIn(store.db, userId, project)
    const granted = await store.db
      .selectFrom('grants')
      .innerJoin('projects', 'projects.id', 'grants.project_id')
      .select('projects.name')
      .distinct()
      .where('grants.user_id', '=', userId)
      .where('projects.enabled', '=', 1)
      .orderBy('projects.name')
      .execute()
    const names = granted.map(row => row.name)
    const first = names.includes('default') ? 'default' : names[0]
    return first === undefined ? undefined : rolesIn(store.db, userId, first)
  }

  async function issue(
    user: { id: string; name: string; passwordHash: string },
    place: Place,
    ttlMs: number,
  ): Promise<IssuedToken> {
    const token = newToken()
    const now = clock.now()
    const expiresAt = now + ttlMs
    await store.transaction(async tx => {
      await tx.deleteFrom('tokens').where('expires_at', '<=', now).execute()
      // The password was checked before this transaction: one that was changed meanwhile must not open a session.
      const current = await tx
        .selectFrom('users')
        .select('password_hash')
        .where('id', '=', user.id)
        .where('enabled', '=', 1)
        .executeTakeFirst()
      if (current?.password_hash !== user.passwordHash)
        throw new AtelierError('UNAUTHENTICATED', 'User, password or project is wrong.')
      const surplus = await tx
        .selectFrom('tokens')
        .select('hash')
        .where('user_id', '=', user.id)
        .orderBy('id', 'desc')
        .limit(1_000)
        .offset(TOKENS_PER_USER_MAX - 1)
        .execute()
      if (surplus.length > 0) {
        await tx
          .deleteFrom('tokens')
          .where(
            'hash',
            'in',
            surplus.map(row => row.hash),
          )
          .execute()
        cache.forgetWhere(principal => principal.userId === user.id)
      }
      const row = { hash: hashToken(token), id: newId(now), user_id: user.id, description: '' }
      await tx
        .insertInto('tokens')
        .values({ ...row, project_id: place.projectId, created_at: now, expires_at: expiresAt })
        .execute()
    })
    return { token, principal: { userId: user.id, userName: user.name, ...place, expiresAt } }
  }

  async function authenticate(token: string): Promise<Principal> {
    const known = cached(token)
    if (known) return known
    const generation = cache.generation
    const row = isToken(token)
      ? await store.db
          .selectFrom('tokens')
          .innerJoin('users', 'users.id', 'tokens.user_id')
          .innerJoin('projects', 'projects.id', 'tokens.project_id')
          .select(['users.id', 'users.name', 'projects.name as project', 'tokens.expires_at'])
          .where('tokens.hash', '=', hashToken(token))
          .where('users.enabled', '=', 1)
          .executeTakeFirst()
      : undefined
    const now = clock.now()
    const place = row && row.expires_at > now ? await rolesIn(store.db, row.id, row.project) : undefined
    if (!row || !place)
      throw new AtelierError('UNAUTHENTICATED', 'The token is not valid, or no longer: log in again.')
    const principal = { userId: row.id, userName: row.name, ...place, expiresAt: row.expires_at }
    cache.put(token, principal, generation, now)
    return principal
  }

  function cached(token: string): Principal | undefined {
    return cache.get(token, clock.now())
  }

  return {
    name: 'embedded',
    authenticate,
    cached,
    login,
    async bootstrap(save) {
      const anybody = await store.db.selectFrom('users').select('id').limit(1).executeTakeFirst()
      if (anybody) return false
      const password = randomBytes(18).toString('base64url')
      const passwordHash = await passwords.hash(password)
      await save({ user: 'admin', password, project: 'default' })
      await createAdmin(store, clock.now(), passwordHash)
      return true
    },
    async revoke(token) {
      await store.db.deleteFrom('tokens').where('hash', '=', hashToken(token)).execute()
      cache.forget(token)
    },
    async principalFor(principal, project) {
      if (principal.projectName === project) return principal
      const place = await rolesIn(store.db, principal.userId, project)
      if (!place)
        throw new AtelierError('NOT_FOUND', `There is no project ${JSON.stringify(project.slice(0, 80))}.`)
      return { ...principal, ...place }
    },
    forgetProject: projectId => cache.forgetWhere(principal => principal.projectId === projectId),
    ...userManagement({
      store,
      clock,
      passwords,
      forgetUser: id => cache.forgetWhere(principal => principal.userId === id),
    }),
  }
}

type Place = Pick<Principal, 'projectId' | 'projectName' | 'roles'>

async function createAdmin(store: Store, now: number, passwordHash: string): Promise<void> {
  await store.transaction(async tx => {
    const existing = await tx
      .selectFrom('projects')
      .select('id')
      .where('name', '=', 'default')
      .executeTakeFirst()
    const projectId = existing?.id ?? newId(now)
    if (!existing) {
      const dates = { created_at: now, updated_at: now }
      const project = { id: projectId, name: 'default', description: 'Made at the first start', ...dates }
      await tx
        .insertInto('projects')
        .values({ ...project, enabled: 1, quota_json: '{}', revision: 1 })
        .execute()
    }
    const userId = newId(now)
    const user = { id: userId, name: 'admin', password_hash: passwordHash, enabled: 1, created_at: now }
    await tx.insertInto('users').values(user).execute()
    await tx.insertInto('grants').values({ user_id: userId, project_id: projectId, role: 'admin' }).execute()
  })
}

function checkTtl(ttlMs: number = TTL_MS_DEFAULT): number {
  if (Number.isInteger(ttlMs) && ttlMs >= TTL_MS_MIN && ttlMs <= TTL_MS_MAX) return ttlMs
  const detail = `must be a whole number from ${TTL_MS_MIN} to ${TTL_MS_MAX}`
  throw new AtelierError('INVALID_INPUT', `ttlMs ${detail}.`, { errors: [{ pointer: 'ttlMs', detail }] })
}
