import { randomBytes } from 'node:crypto'
import { AtelierError, type Clock, invalidField, newId, noSuch, type Principal } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import { allowsRequest, type ServiceRequest } from './access-rules.ts'
import { applicationCredentials } from './application-credentials.ts'
import type { EmbeddedIdentity, IssuedToken, LoginInput } from './identity.ts'
import { tokenIssuing } from './issuing.ts'
import { embeddedLending } from './lending.ts'
import { Door } from './login.ts'
import { Passwords } from './passwords.ts'
import { people } from './people.ts'
import { places } from './places.ts'
import { rolesIn } from './roles.ts'
import { principalOf, type Session } from './session.ts'
import { beginSession, type IssuedSession, type NewSession, readSession } from './sessions.ts'
import { hashToken, TokenCache, type Validated } from './tokens.ts'
import { trusts } from './trusts.ts'
import { userManagement } from './users.ts'

const HOUR_MS = 3_600_000
const TTL_MS_DEFAULT = 24 * HOUR_MS
const TTL_MS_MIN = 60_000
const TTL_MS_MAX = 366 * 24 * HOUR_MS
/** Then a token is read again, in case another node revoked it. */
const BELIEVED_MS = 60_000

/** Users, roles and tokens in our own store; see `EmbeddedIdentity`. `passwordCost` is for tests: see `Passwords`. */
export async function createEmbeddedIdentity({
  store,
  clock,
  passwordCost,
  onForgotten,
}: {
  store: Store
  clock: Clock
  passwordCost?: number
  /** Told when what was known of somebody's rights holds no more; other nodes may know it too. */
  onForgotten?: () => void
}): Promise<EmbeddedIdentity> {
  const passwords = new Passwords(passwordCost)
  const cache = new TokenCache({ freshMs: BELIEVED_MS, ...(onForgotten && { onForgotten }) })
  const door = new Door({ store, clock, passwords })

  async function begin(input: NewSession): Promise<IssuedSession> {
    const { surplusEnded, ...issued } = await beginSession({ store, clock }, input)
    if (surplusEnded) forgetUser(input.provenBy)
    return issued
  }

  async function login(input: LoginInput): Promise<IssuedToken> {
    const ttlMs = checkTtl(input.ttlMs)
    const { user: name, password, project, client } = input
    const { token, session } = await door.withPassword({ name }, password, client, async user => {
      const place = await placeOf(user.id, project)
      if (!place) return undefined
      return begin({
        userId: user.id,
        provenBy: user.id,
        projectId: place.projectId,
        methods: ['password'],
        expiresAt: clock.now() + ttlMs,
        async stillHolds(tx) {
          const now = await tx
            .selectFrom('users')
            .select('password_hash')
            .where('id', '=', user.id)
            .executeTakeFirst()
          return now?.password_hash === user.passwordHash
        },
      })
    })
    return { token, principal: principalWithProject(session) }
  }

  /** Where this user wants to work and may, or `undefined`. */
  async function placeOf(userId: string, project: string | undefined): Promise<Standing | undefined> {
    if (project !== undefined) return rolesIn(store.db, userId, { name: project })
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
    return first === undefined ? undefined : rolesIn(store.db, userId, { name: first })
  }

  async function authenticate(token: string, request?: ServiceRequest): Promise<Principal> {
    const { principal, accessRules } = await validate(token)
    if (accessRules && !(request && allowsRequest(accessRules, request)))
      throw new AtelierError(
        'UNAUTHENTICATED',
        'The access rules of the application credential do not allow this request.',
      )
    return principal
  }

  async function validate(token: string): Promise<Validated> {
    const known = cache.get(token, clock.now())
    if (known) return known
    const generation = cache.generation
    const session = await readSession(store.db, token, clock.now())
    if (!session)
      throw new AtelierError('UNAUTHENTICATED', 'The token is not valid, or no longer: log in again.')
    const validated = {
      principal: principalWithProject(session),
      accessRules: session.credential?.accessRules,
    }
    cache.put(token, validated, generation, clock.now())
    return validated
  }

  /** Also who acts by a trust: its principal may bear the other one's name. */
  function forgetUser(userId: string): void {
    cache.forgetWhere(principal => principal.userId === userId || principal.delegation?.kind === 'trust')
  }

  const forgetDelegation = (id: string): void =>
    cache.forgetWhere(principal => principal.delegation?.id === id)

  const lent = trusts({ store, clock, forgetDelegation })

  return {
    name: 'embedded',
    lending: embeddedLending({ store, clock, passwords, trusts: lent, begin, forgetDelegation }),
    authenticate,
    cached(token, hash) {
      const known = cache.get(token, clock.now(), hash)
      return known?.accessRules ? undefined : known?.principal
    },
    login,
    async bootstrap(save) {
      const anybody = await store.db.selectFrom('users').select('id').limit(1).executeTakeFirst()
      if (anybody) return false
      const password = randomBytes(18).toString('base64url')
      const passwordHash = await passwords.hash(password)
      await save({ user: 'admin', password, project: 'default' })
      try {
        await createAdmin(store, clock.now(), passwordHash)
      } catch (error) {
        // Another node, which starts at the same moment, was faster.
        if (error instanceof AtelierError && error.code === 'CONFLICT') return false
        throw error
      }
      return true
    },
    async revoke(token) {
      await store.db.deleteFrom('sessions').where('hash', '=', hashToken(token)).execute()
      cache.forget(token)
    },
    async principalFor(principal, project) {
      const isById = 'id' in project
      if (isById ? principal.projectId === project.id : principal.projectName === project.name)
        return principal
      // What was delegated was delegated for one project.
      const place = principal.delegation ? undefined : await rolesIn(store.db, principal.userId, project)
      if (!place) throw noSuch('project', isById ? project.id : project.name)
      return { ...principal, ...place }
    },
    forgetAll: () => cache.clear(),
    forgetProject: projectId => cache.forgetWhere(principal => principal.projectId === projectId),
    ...userManagement({ store, clock, passwords, forgetUser }),
    directory: {
      issue: tokenIssuing({ store, clock, door, passwords, begin }),
      inspect: (token, graceMs) => readSession(store.db, token, clock.now(), graceMs),
      ...people({ store, clock, passwords, door, forgetUser }),
      ...places(store, forgetUser),
      ...lent,
      ...applicationCredentials({ store, clock, passwords, forgetDelegation }),
    },
  }
}

function principalWithProject(session: Session): Principal {
  const principal = principalOf(session)
  if (principal) return principal
  throw new AtelierError(
    'UNAUTHENTICATED',
    'The token is for no project: get one that is scoped to a project.',
  )
}

type Standing = Pick<Principal, 'projectId' | 'projectName' | 'roles'>

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
  throw invalidField('ttlMs', `must be a whole number from ${TTL_MS_MIN} to ${TTL_MS_MAX}`)
}
