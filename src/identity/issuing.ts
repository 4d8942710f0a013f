import type { Transaction } from 'kysely'
import { AtelierError, type Clock } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'
import { asCredential } from './credential-rows.ts'
import type { Door, Proven, UserReference } from './login.ts'
import type { Passwords } from './passwords.ts'
import { type Db, type ProjectReference, rolesIn } from './roles.ts'
import type { ApplicationCredential } from './session.ts'
import { type IssuedSession, type NewSession, readSession, wrongLogin } from './sessions.ts'
import { hashToken } from './tokens.ts'
import { trustById } from './trust-rows.ts'

/** How long a token lives that nobody said it for. Clients of Keystone v3 take one for each command. */
const TTL_MS = 3_600_000

/** What proves who asks for a token. */
export type Proof =
  | { readonly method: 'password'; readonly user: UserReference; readonly password: string }
  | { readonly method: 'token'; readonly token: string }
  | {
      readonly method: 'application_credential'
      readonly credential: { readonly id: string } | { readonly name: string; readonly user: UserReference }
      readonly secret: string
    }

/** What the token shall be for. `undefined`: the user's default project, when it may work there, else none. */
export type Scope =
  | 'unscoped'
  | { readonly project: ProjectReference }
  | { readonly trustId: string }
  | undefined

/** Who asks for a token, with what proof, and for what. */
export interface TokenRequest {
  readonly proof: Proof
  readonly scope: Scope
  /** Where the caller is, for the throttle. */
  readonly client?: string
}

interface Parts {
  readonly store: Store
  readonly clock: Clock
  readonly door: Door
  readonly passwords: Passwords
  begin(input: NewSession): Promise<IssuedSession>
}

/**
 * A token for whoever proves to be somebody. Rejects with UNAUTHENTICATED without telling what was wrong, with TOO_MANY_REQUESTS
 * after failures in a row, with NOT_FOUND for a token that is none, and with FORBIDDEN when a delegated token shall make
 * another, or a trust is somebody else's.
 */
export function tokenIssuing(parts: Parts): (request: TokenRequest) => Promise<IssuedSession> {
  return ({ proof, scope, client }) => {
    if (proof.method === 'token') return byToken(parts, proof.token, scope)
    if (proof.method === 'password')
      return parts.door.withPassword(proof.user, proof.password, client, user => byUser(parts, user, scope))
    return byCredential(parts, proof, scope, client)
  }
}

async function byUser(parts: Parts, user: Proven, scope: Scope): Promise<IssuedSession | undefined> {
  const aim = await aimOf(parts, user.id, scope)
  if (!aim) return undefined
  return parts.begin({
    ...aim,
    provenBy: user.id,
    methods: ['password'],
    expiresAt: Math.min(parts.clock.now() + TTL_MS, aim.endsAt),
    stillHolds: async tx => (await hasPassword(tx, user)) && useTrust(tx, aim),
  })
}

async function byToken(parts: Parts, token: string, scope: Scope): Promise<IssuedSession> {
  const parent = await readSession(parts.store.db, token, parts.clock.now())
  if (!parent) throw new AtelierError('NOT_FOUND', 'There is no such token.')
  if (parent.trust || parent.credential)
    throw new AtelierError(
      'FORBIDDEN',
      'A token of a trust or of an application credential makes no other token.',
    )
  const aim = await aimOf(parts, parent.user.id, scope)
  if (!aim) throw wrongLogin()
  return parts.begin({
    ...aim,
    provenBy: parent.user.id,
    methods: [...new Set([...parent.methods, 'token' as const])],
    chainId: parent.chainId,
    // Never longer than the first, or a token would live for ever.
    expiresAt: Math.min(parent.expiresAt, aim.endsAt),
    stillHolds: async tx => (await exists(tx, token)) && useTrust(tx, aim),
  })
}

async function byCredential(
  parts: Parts,
  proof: Extract<Proof, { method: 'application_credential' }>,
  scope: Scope,
  client: string | undefined,
): Promise<IssuedSession> {
  const found = await findCredential(parts.store.db, proof.credential)
  const named = proof.credential
  const who = found?.credential.id ?? ('id' in named ? named.id : named.name)
  return parts.door.pass(`credential ${who}`, client, async () => {
    const right = await parts.passwords.verify(proof.secret, found?.secretHash)
    const now = parts.clock.now()
    if (!found || !right) return undefined
    const { credential } = found
    if (!(await isItsProject(parts.store.db, credential, scope))) return undefined
    const endsAt = credential.expiresAt ?? Number.POSITIVE_INFINITY
    if (endsAt <= now) return undefined
    return parts.begin({
      userId: credential.userId,
      provenBy: credential.userId,
      projectId: credential.projectId,
      credentialId: credential.id,
      methods: ['application_credential'],
      expiresAt: Math.min(now + TTL_MS, endsAt),
      stillHolds: async tx => (await findCredential(tx, { id: credential.id })) !== undefined,
    })
  })
}

/** For whom and where a token shall act. */
interface Aim {
  readonly userId: string
  readonly projectId: string | undefined
  readonly trustId?: string
  /** Whether each token of the trust counts. */
  readonly isCounted?: boolean
  readonly endsAt: number
}

async function aimOf({ store, clock }: Parts, userId: string, scope: Scope): Promise<Aim | undefined> {
  const nowhere = { userId, projectId: undefined, endsAt: Number.POSITIVE_INFINITY }
  if (scope === 'unscoped') return nowhere
  if (scope === undefined) {
    const preferred = await store.db
      .selectFrom('users')
      .select('default_project_id')
      .where('id', '=', userId)
      .executeTakeFirst()
    const id = preferred?.default_project_id
    const place = id ? await rolesIn(store.db, userId, { id }) : undefined
    return { ...nowhere, projectId: place?.projectId }
  }
  if ('project' in scope) {
    const place = await rolesIn(store.db, userId, scope.project)
    return place && { ...nowhere, projectId: place.projectId }
  }
  const trust = await trustById(store.db, scope.trustId, clock.now())
  if (!trust) return undefined
  if (trust.trusteeId !== userId)
    throw new AtelierError('FORBIDDEN', 'The trust was given to another user than this one.')
  return {
    userId: trust.impersonation ? trust.trustorId : trust.trusteeId,
    projectId: trust.projectId,
    trustId: trust.id,
    isCounted: trust.remainingUses !== undefined,
    endsAt: trust.expiresAt ?? Number.POSITIVE_INFINITY,
  }
}

/** A credential has one project: naming it says nothing new, and naming anything else is wrong. */
async function isItsProject(
  db: Db,
  { userId, projectId }: ApplicationCredential,
  scope: Scope,
): Promise<boolean> {
  if (scope === undefined) return true
  if (scope === 'unscoped' || !('project' in scope)) return false
  return (await rolesIn(db, userId, scope.project))?.projectId === projectId
}

async function hasPassword(tx: Transaction<Tables>, user: Proven): Promise<boolean> {
  const row = await tx
    .selectFrom('users')
    .select('password_hash')
    .where('id', '=', user.id)
    .executeTakeFirst()
  return row?.password_hash === user.passwordHash
}

async function exists(tx: Transaction<Tables>, token: string): Promise<boolean> {
  const row = await tx
    .selectFrom('sessions')
    .select('id')
    .where('hash', '=', hashToken(token))
    .executeTakeFirst()
  return row !== undefined
}

/** Whether the trust is there; counts one use when its uses are counted. */
async function useTrust(tx: Transaction<Tables>, { trustId, isCounted = false }: Aim): Promise<boolean> {
  if (trustId === undefined) return true
  if (!isCounted)
    return (
      (await tx.selectFrom('trusts').select('id').where('id', '=', trustId).executeTakeFirst()) !== undefined
    )
  const { numUpdatedRows } = await tx
    .updateTable('trusts')
    .set(set => ({ remaining_uses: set('remaining_uses', '-', 1) }))
    .where('id', '=', trustId)
    .where('remaining_uses', '>', 0)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

async function findCredential(
  db: Db,
  reference: Extract<Proof, { method: 'application_credential' }>['credential'],
): Promise<{ readonly credential: ApplicationCredential; readonly secretHash: string } | undefined> {
  const rows = db
    .selectFrom('application_credentials')
    .innerJoin('users', 'users.id', 'application_credentials.user_id')
    .selectAll('application_credentials')
    .where('users.enabled', '=', 1)
  let query: typeof rows
  if ('id' in reference) query = rows.where('application_credentials.id', '=', reference.id)
  else {
    const { user, name } = reference
    const named = rows.where('application_credentials.name', '=', name)
    query = 'id' in user ? named.where('users.id', '=', user.id) : named.where('users.name', '=', user.name)
  }
  const row = await query.executeTakeFirst()
  return row && { credential: asCredential(row), secretHash: row.secret_hash }
}
