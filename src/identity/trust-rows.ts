import type { Selectable } from 'kysely'
import type { Tables } from '../store/index.ts'
import { type Db, rolesOfText } from './roles.ts'
import type { Trust } from './session.ts'

/** A trust that is good now: not past its end, its trustor not switched off. */
export async function trustById(db: Db, id: string, nowMs: number): Promise<Trust | undefined> {
  const row = await db
    .selectFrom('trusts')
    .innerJoin('users', 'users.id', 'trusts.trustor_id')
    .selectAll('trusts')
    .where('trusts.id', '=', id)
    .where('users.enabled', '=', 1)
    .executeTakeFirst()
  if (!row || (row.expires_at !== null && row.expires_at <= nowMs)) return undefined
  return asTrust(row)
}

export function asTrust(row: Selectable<Tables['trusts']>): Trust {
  return {
    id: row.id,
    trustorId: row.trustor_id,
    trusteeId: row.trustee_id,
    projectId: row.project_id,
    impersonation: row.impersonation === 1,
    roles: rolesOfText(row.roles),
    remainingUses: row.remaining_uses ?? undefined,
    expiresAt: row.expires_at ?? undefined,
  }
}
