import { AtelierError, type Clock, invalidField, newId, noSuch } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import { needOperator } from './accounts.ts'
import { type Db, isRole, rolesIn } from './roles.ts'
import { impliedRoles, type Session, type Trust } from './session.ts'
import { asTrust } from './trust-rows.ts'

const TRUSTS_PER_USER_MAX = 1_000
const USES_MAX = 1_000_000

export interface NewTrust {
  readonly trustorId: string
  readonly trusteeId: string
  readonly projectId: string
  readonly impersonation: boolean
  readonly roles: readonly string[]
  /** Epoch ms. */
  readonly expiresAt: number | undefined
  readonly remainingUses: number | undefined
}

/**
 * One user's roles in a project, lent to another. A token of an application credential has no business with trusts, and one of a trust
 * none but to give back that trust: FORBIDDEN.
 */
export interface Trusts {
  /** For oneself alone; NOT_FOUND for a role that one has not there. */
  createTrust(by: Session, input: NewTrust): Promise<Trust>
  /** For the two that it is between, and for operators. */
  getTrust(by: Session, id: string): Promise<Trust>
  listTrusts(
    by: Session,
    filter: { readonly trustorId?: string; readonly trusteeId?: string },
  ): Promise<readonly Trust[]>
  /** Its tokens are worth nothing from now on. For the trustor and for operators. */
  deleteTrust(by: Session, id: string): Promise<void>
}

export function trusts({
  store,
  clock,
  forgetDelegation,
}: {
  readonly store: Store
  readonly clock: Clock
  readonly forgetDelegation: (id: string) => void
}): Trusts {
  async function find(id: string): Promise<Trust> {
    const row = await store.db.selectFrom('trusts').selectAll().where('id', '=', id).executeTakeFirst()
    if (!row || (row.expires_at !== null && row.expires_at <= clock.now())) throw noSuch('trust', id)
    return asTrust(row)
  }

  return {
    async createTrust(by, input) {
      if (input.trustorId !== by.user.id)
        throw new AtelierError(
          'FORBIDDEN',
          'A trust is given by oneself: trustor_user_id must be your own id.',
        )
      needOwnPower(by)
      check(input, clock.now())
      const now = clock.now()
      const row = {
        id: newId(now),
        trustor_id: input.trustorId,
        trustee_id: input.trusteeId,
        project_id: input.projectId,
        impersonation: input.impersonation ? 1 : 0,
        roles: [...new Set(input.roles)].join(','),
        remaining_uses: input.remainingUses ?? null,
        expires_at: input.expiresAt ?? null,
        created_at: now,
      }
      await store.transaction(async tx => {
        await needTrustee(tx, input.trusteeId)
        await needRoles(tx, input)
        // Nobody sees those that are over, nor can delete them: they must not count.
        await tx
          .deleteFrom('trusts')
          .where('trustor_id', '=', input.trustorId)
          .where('expires_at', '<=', now)
          .execute()
        const { count } = await tx
          .selectFrom('trusts')
          .select(select => select.fn.countAll<number | string>().as('count'))
          .where('trustor_id', '=', input.trustorId)
          .executeTakeFirstOrThrow()
        if (Number(count) >= TRUSTS_PER_USER_MAX)
          throw new AtelierError(
            'QUOTA_EXCEEDED',
            `You have ${TRUSTS_PER_USER_MAX} trusts: delete some first.`,
          )
        await tx.insertInto('trusts').values(row).execute()
      })
      return asTrust(row)
    },

    async getTrust(by, id) {
      needOwnPower(by, id)
      const trust = await find(id)
      if (by.user.id !== trust.trustorId && by.user.id !== trust.trusteeId)
        needOperator(by, "look at others' trusts")
      return trust
    },

    async listTrusts(by, { trustorId, trusteeId }) {
      const isOwn = [trustorId, trusteeId].includes(by.user.id)
      if (!isOwn) needOperator(by, "list others' trusts")
      needOwnPower(by)
      const now = clock.now()
      let query = store.db.selectFrom('trusts').selectAll().orderBy('id').limit(TRUSTS_PER_USER_MAX)
      query = query.where(where => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
      if (trustorId !== undefined) query = query.where('trustor_id', '=', trustorId)
      if (trusteeId !== undefined) query = query.where('trustee_id', '=', trusteeId)
      return (await query.execute()).map(asTrust)
    },

    async deleteTrust(by, id) {
      needOwnPower(by, id)
      const trust = await find(id)
      if (by.user.id !== trust.trustorId) needOperator(by, 'delete a trust of somebody else')
      await store.transaction(tx => tx.deleteFrom('trusts').where('id', '=', id).execute())
      forgetDelegation(id)
    },
  }
}

/** `trustId`: the one trust that its own token may name. */
function needOwnPower(by: Session, trustId?: string): void {
  if (by.credential)
    throw new AtelierError('FORBIDDEN', 'A token of an application credential may not manage trusts.')
  if (by.trust && by.trust.id !== trustId)
    throw new AtelierError('FORBIDDEN', 'A token of a trust may manage no other trust than that one.')
}

function check({ roles, expiresAt, remainingUses }: NewTrust, nowMs: number): void {
  if (roles.length === 0) throw new AtelierError('FORBIDDEN', 'A trust needs at least one role.')
  if (expiresAt !== undefined && expiresAt <= nowMs) throw invalidField('expires_at', 'is in the past')
  if (remainingUses === undefined) return
  if (!Number.isInteger(remainingUses) || remainingUses < 1 || remainingUses > USES_MAX)
    throw invalidField('remaining_uses', `must be a whole number from 1 to ${USES_MAX}`)
}

async function needTrustee(db: Db, id: string): Promise<void> {
  const user = await db.selectFrom('users').select('id').where('id', '=', id).executeTakeFirst()
  if (!user) throw noSuch('user', id)
}

async function needRoles(db: Db, { trustorId, projectId, roles }: NewTrust): Promise<void> {
  const project = await db.selectFrom('projects').select('id').where('id', '=', projectId).executeTakeFirst()
  if (!project) throw noSuch('project', projectId)
  const held = impliedRoles((await rolesIn(db, trustorId, { id: projectId }))?.roles ?? [])
  for (const role of roles) if (!isRole(role) || !held.includes(role)) throw noSuch('role', role)
}
