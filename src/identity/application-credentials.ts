import { randomBytes } from 'node:crypto'
import { AtelierError, type Clock, invalidField, newId, noSuch } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import type { AccessRule } from './access-rules.ts'
import { needOperator } from './accounts.ts'
import { asCredential } from './credential-rows.ts'
import type { Passwords } from './passwords.ts'
import { isRole } from './roles.ts'
import { type ApplicationCredential, impliedRoles, type Session, type StoredAccessRule } from './session.ts'

const CREDENTIALS_PER_USER_MAX = 1_000
const ACCESS_RULES_MAX = 50
const PATH_CHARACTERS_MAX = 225
const SERVICE_CHARACTERS_MAX = 64
const NAME_CHARACTERS_MAX = 255
const SECRET_CHARACTERS_MIN = 8
const SECRET_BYTES_MAX = 1024
const METHODS = ['POST', 'GET', 'HEAD', 'PATCH', 'PUT', 'DELETE']

/** An application credential to make. */
export interface NewCredential {
  readonly name: string
  readonly description: string | undefined
  /** @default one that is made here */
  readonly secret: string | undefined
  /** Epoch ms. */
  readonly expiresAt: number | undefined
  /** @default all that the token has */
  readonly roles: readonly string[] | undefined
  readonly unrestricted: boolean | undefined
  /** Each whole, or the id of one that the user has. */
  readonly accessRules: readonly (AccessRule | { readonly id: string })[] | undefined
}

/**
 * Logins for programs. A token of such a credential manages others only when it is unrestricted, one of a trust never, and
 * nobody makes them for somebody else: FORBIDDEN.
 */
export interface ApplicationCredentials {
  /** For the project of the session; the secret is shown this once. INVALID_INPUT for a role that the session has not. */
  createCredential(
    by: Session,
    userId: string,
    input: NewCredential,
  ): Promise<{ readonly credential: ApplicationCredential; readonly secret: string }>
  getCredential(by: Session, userId: string, id: string): Promise<ApplicationCredential>
  listCredentials(by: Session, userId: string, name?: string): Promise<readonly ApplicationCredential[]>
  /** Its tokens are worth nothing from now on. */
  deleteCredential(by: Session, userId: string, id: string): Promise<void>
}

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly passwords: Passwords
  readonly forgetDelegation: (id: string) => void
}

export function applicationCredentials(parts: Parts): ApplicationCredentials {
  const { store, clock, passwords, forgetDelegation } = parts
  async function rowsOf(userId: string): Promise<readonly ApplicationCredential[]> {
    const rows = await store.db
      .selectFrom('application_credentials')
      .selectAll()
      .where('user_id', '=', userId)
      .orderBy('id')
      .limit(CREDENTIALS_PER_USER_MAX)
      .execute()
    return rows.map(asCredential)
  }
  async function find(userId: string, id: string): Promise<ApplicationCredential> {
    const row = await store.db
      .selectFrom('application_credentials')
      .selectAll()
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .executeTakeFirst()
    if (!row) throw noSuch('application credential', id)
    return asCredential(row)
  }

  return {
    async createCredential(by, userId, input) {
      if (by.user.id !== userId)
        throw new AtelierError('FORBIDDEN', 'An application credential is made by its own user.')
      needOwnPower(by)
      needUnrestricted(by)
      const { project } = by
      if (!project)
        throw new AtelierError('FORBIDDEN', 'An application credential needs a token with a project.')
      check(input, clock.now())
      const roles = rolesOf(by, input.roles)
      const known = (await rowsOf(userId)).flatMap(each => each.accessRules ?? [])
      const accessRules = accessRulesOf(input.accessRules, known, clock.now())
      const secret = input.secret ?? randomBytes(64).toString('base64url')
      const secretHash = await passwords.hash(secret)
      const now = clock.now()
      const row = {
        id: newId(now),
        user_id: userId,
        project_id: project.id,
        name: input.name,
        description: input.description ?? null,
        secret_hash: secretHash,
        roles: roles.join(','),
        unrestricted: input.unrestricted === undefined ? null : Number(input.unrestricted),
        access_rules_json: accessRules === undefined ? null : JSON.stringify(accessRules),
        expires_at: input.expiresAt ?? null,
        created_at: now,
      }
      await store.transaction(async tx => {
        const names = await tx
          .selectFrom('application_credentials')
          .select('name')
          .where('user_id', '=', userId)
          .execute()
        if (names.some(each => each.name === input.name))
          throw new AtelierError(
            'CONFLICT',
            `You have an application credential ${JSON.stringify(input.name)} already.`,
          )
        if (names.length >= CREDENTIALS_PER_USER_MAX)
          throw new AtelierError(
            'QUOTA_EXCEEDED',
            `You have ${CREDENTIALS_PER_USER_MAX} application credentials: delete some first.`,
          )
        // Made by a token that ended while the secret was hashed, it would outlive the reason for its end.
        const session = await tx
          .selectFrom('sessions')
          .select('id')
          .where('id', '=', by.id)
          .executeTakeFirst()
        if (!session) throw new AtelierError('UNAUTHENTICATED', 'The token was revoked meanwhile.')
        await tx.insertInto('application_credentials').values(row).execute()
      })
      return { credential: asCredential(row), secret }
    },

    async getCredential(by, userId, id) {
      needOwnerOrOperator(by, userId)
      needOwnPower(by)
      return find(userId, id)
    },

    async listCredentials(by, userId, name) {
      needOwnerOrOperator(by, userId)
      needOwnPower(by)
      const all = await rowsOf(userId)
      return name === undefined ? all : all.filter(each => each.name === name)
    },

    async deleteCredential(by, userId, id) {
      needOwnerOrOperator(by, userId)
      needOwnPower(by)
      needUnrestricted(by)
      await find(userId, id)
      await store.transaction(tx =>
        tx.deleteFrom('application_credentials').where('id', '=', id).where('user_id', '=', userId).execute(),
      )
      forgetDelegation(id)
    },
  }
}

function needOwnerOrOperator(by: Session, userId: string): void {
  if (by.user.id !== userId) needOperator(by, "manage another user's application credentials")
}

function needOwnPower(by: Session): void {
  if (by.trust)
    throw new AtelierError('FORBIDDEN', 'A token of a trust may not manage application credentials.')
}

function needUnrestricted(by: Session): void {
  if (by.credential && by.credential.unrestricted !== true)
    throw new AtelierError(
      'FORBIDDEN',
      'A token of an application credential may manage others only when that one is unrestricted.',
    )
}

function rolesOf(by: Session, wanted: readonly string[] | undefined): readonly string[] {
  const held = impliedRoles(by.roles)
  if (wanted === undefined || wanted.length === 0) return held
  for (const role of wanted)
    if (!isRole(role) || !held.includes(role))
      throw invalidField('roles', `has ${JSON.stringify(role.slice(0, 80))}, which your token has not`)
  return [...new Set(wanted)]
}

function accessRulesOf(
  wanted: NewCredential['accessRules'],
  known: readonly StoredAccessRule[],
  nowMs: number,
): readonly StoredAccessRule[] | undefined {
  if (wanted === undefined || wanted.length === 0) return undefined
  return wanted.map(rule => {
    if (!('path' in rule)) {
      const found = known.find(each => each.id === rule.id)
      if (!found)
        throw invalidField(
          'access_rules',
          `names ${JSON.stringify(rule.id.slice(0, 80))}, which there is not`,
        )
      return found
    }
    const { service, method, path } = rule
    const same = known.find(each => each.service === service && each.method === method && each.path === path)
    return same ?? { id: newId(nowMs), service, method, path }
  })
}

function check({ name, secret, expiresAt, accessRules = [] }: NewCredential, nowMs: number): void {
  if (name.trim() === '' || name.length > NAME_CHARACTERS_MAX)
    throw invalidField('name', `must have 1 to ${NAME_CHARACTERS_MAX} characters`)
  if (secret !== undefined && secret.length < SECRET_CHARACTERS_MIN)
    throw invalidField('secret', `has fewer than ${SECRET_CHARACTERS_MIN} characters`)
  if (secret !== undefined && Buffer.byteLength(secret) > SECRET_BYTES_MAX)
    throw invalidField('secret', `has more than ${SECRET_BYTES_MAX} bytes`)
  if (expiresAt !== undefined && expiresAt <= nowMs) throw invalidField('expires_at', 'is in the past')
  if (accessRules.length > ACCESS_RULES_MAX)
    throw invalidField('access_rules', `has more than ${ACCESS_RULES_MAX} rules`)
  for (const rule of accessRules) if ('path' in rule) checkRule(rule)
}

function checkRule({ service, method, path }: AccessRule): void {
  if (!path.startsWith('/') || path.length > PATH_CHARACTERS_MAX)
    throw invalidField(
      'access_rules',
      `has a path that does not begin with "/" or has more than ${PATH_CHARACTERS_MAX} characters`,
    )
  if (!METHODS.includes(method))
    throw invalidField('access_rules', `has a method that is none of ${METHODS.join(', ')}`)
  if (service === '' || service.length > SERVICE_CHARACTERS_MAX)
    throw invalidField('access_rules', `has a service that has not 1 to ${SERVICE_CHARACTERS_MAX} characters`)
}
