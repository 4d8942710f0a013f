import type { Transaction } from 'kysely'
import { AtelierError, type Clock, newId } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'
import { credentialById } from './credential-rows.ts'
import { type Db, rolesIn } from './roles.ts'
import {
  type ApplicationCredential,
  type AuthMethod,
  impliedRoles,
  type Session,
  type Trust,
} from './session.ts'
import { hashToken, isToken, newToken } from './tokens.ts'
import { trustById } from './trust-rows.ts'

const TOKENS_PER_USER_MAX = 1_000 // the one that ends first goes when one more is issued
/** A token that ended is still told apart from one that never was, for services that finish what it began. */
export const GRACE_MS_MAX = 48 * 3_600_000
const SURPLUS_MAX = 1_000

/** A token that is about to be. */
export interface NewSession {
  readonly userId: string
  /** Whose secret proved it. */
  readonly provenBy: string
  readonly projectId: string | undefined
  readonly trustId?: string | undefined
  readonly credentialId?: string | undefined
  readonly methods: readonly AuthMethod[]
  readonly chainId?: string
  readonly expiresAt: number
  /** Whether what proved it is still so, asked in the transaction that writes it. */
  stillHolds(tx: Transaction<Tables>): Promise<boolean>
}

export interface IssuedSession {
  /** Shown once; only its hash is stored. */
  readonly token: string
  readonly session: Session
}

/**
 * Writes a new token. Rejects with UNAUTHENTICATED when what proved it was changed meanwhile: a password that is no longer the
 * user's must not open a session.
 */
export async function beginSession(
  { store, clock }: { readonly store: Store; readonly clock: Clock },
  input: NewSession,
): Promise<IssuedSession & { readonly surplusEnded: boolean }> {
  const token = newToken()
  const now = clock.now()
  const id = newId(now)
  const hash = hashToken(token)
  return store.transaction(async tx => {
    await tx
      .deleteFrom('sessions')
      .where('expires_at', '<=', now - GRACE_MS_MAX)
      .execute()
    if (!(await input.stillHolds(tx))) throw wrongLogin()
    const surplusEnded = await endSurplus(tx, input.provenBy)
    await tx
      .insertInto('sessions')
      .values({
        hash,
        id,
        chain_id: input.chainId ?? id,
        user_id: input.userId,
        proven_by: input.provenBy,
        project_id: input.projectId ?? null,
        trust_id: input.trustId ?? null,
        credential_id: input.credentialId ?? null,
        methods: input.methods.join(','),
        created_at: now,
        expires_at: input.expiresAt,
      })
      .execute()
    // What is given out is what every later look will find, or nothing is.
    const session = await readSession(tx, token, now)
    if (!session) throw wrongLogin()
    return { token, session, surplusEnded }
  })
}

/** What the token stands for now; `undefined` when it is not valid. `graceMs`: how long ago it may have expired. */
export async function readSession(
  db: Db,
  token: string,
  nowMs: number,
  graceMs = 0,
): Promise<Session | undefined> {
  if (!isToken(token)) return undefined
  const row = await db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .innerJoin('users as prover', 'prover.id', 'sessions.proven_by')
    .selectAll('sessions')
    .select('users.name as user_name')
    .where('sessions.hash', '=', hashToken(token))
    .where('users.enabled', '=', 1)
    .where('prover.enabled', '=', 1)
    .executeTakeFirst()
  if (!row || row.expires_at + graceMs <= nowMs) return undefined
  const trust = row.trust_id === null ? undefined : await trustById(db, row.trust_id, nowMs)
  const credential =
    row.credential_id === null ? undefined : await credentialById(db, row.credential_id, nowMs)
  const isWhole = (row.trust_id === null || trust) && (row.credential_id === null || credential)
  if (!isWhole) return undefined
  const session = {
    id: row.id,
    chainId: row.chain_id,
    methods: row.methods.split(',') as readonly AuthMethod[],
    user: { id: row.user_id, name: row.user_name },
    issuedAt: row.created_at,
    expiresAt: row.expires_at,
    trust,
    credential,
  }
  if (row.project_id === null) return { ...session, project: undefined, roles: [] }
  const place = await rolesIn(db, trust?.trustorId ?? row.user_id, { id: row.project_id })
  const roles = place && narrowed(place.roles, trust ?? credential)
  if (!place || !roles) return undefined
  return { ...session, project: { id: place.projectId, name: place.projectName }, roles }
}

/** The one answer to whatever is wrong with a login. */
export function wrongLogin(): AtelierError {
  return new AtelierError('UNAUTHENTICATED', 'User, password or project is wrong.')
}

/** Ends every token that is the user's or that the user proved. */
export async function endSessionsOf(tx: Transaction<Tables>, userId: string): Promise<void> {
  await tx
    .deleteFrom('sessions')
    .where(where => where.or([where('user_id', '=', userId), where('proven_by', '=', userId)]))
    .execute()
}

/** What is delegated goes whole or not at all: who lost one of the roles meanwhile delegates nothing. */
function narrowed(
  held: Session['roles'],
  delegated: Trust | ApplicationCredential | undefined,
): Session['roles'] | undefined {
  if (!delegated) return held
  const all = impliedRoles(held)
  return delegated.roles.length > 0 && delegated.roles.every(role => all.includes(role))
    ? delegated.roles
    : undefined
}

async function endSurplus(tx: Transaction<Tables>, provenBy: string): Promise<boolean> {
  const surplus = await tx
    .selectFrom('sessions')
    .select('hash')
    .where('proven_by', '=', provenBy)
    .orderBy('expires_at', 'desc')
    .orderBy('id', 'desc')
    .limit(SURPLUS_MAX)
    .offset(TOKENS_PER_USER_MAX - 1)
    .execute()
  if (surplus.length === 0) return false
  const hashes = surplus.map(row => row.hash)
  await tx.deleteFrom('sessions').where('hash', 'in', hashes).execute()
  return true
}
