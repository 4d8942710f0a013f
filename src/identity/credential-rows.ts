import type { Selectable } from 'kysely'
import type { Tables } from '../store/index.ts'
import { type Db, rolesOfText } from './roles.ts'
import type { ApplicationCredential, StoredAccessRule } from './session.ts'

/** An application credential that is good now: not past its end. */
export async function credentialById(
  db: Db,
  id: string,
  nowMs: number,
): Promise<ApplicationCredential | undefined> {
  const row = await db
    .selectFrom('application_credentials')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row || (row.expires_at !== null && row.expires_at <= nowMs)) return undefined
  return asCredential(row)
}

export function asCredential(row: Selectable<Tables['application_credentials']>): ApplicationCredential {
  const rules = row.access_rules_json
  return {
    id: row.id,
    userId: row.user_id,
    projectId: row.project_id,
    name: row.name,
    description: row.description ?? undefined,
    roles: rolesOfText(row.roles),
    unrestricted: row.unrestricted === null ? undefined : row.unrestricted === 1,
    accessRules: rules === null ? undefined : (JSON.parse(rules) as readonly StoredAccessRule[]),
    expiresAt: row.expires_at ?? undefined,
  }
}
