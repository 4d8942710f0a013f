import type { Kysely, Transaction } from 'kysely'
import type { Principal } from '../core/index.ts'
import type { Tables } from '../store/index.ts'

/**
 * What a user is in a project, or `undefined` when it has no business there. Who is an operator in one project is one in
 * all of them, also where nothing was granted and in a project that is switched off.
 */
export async function rolesIn(
  db: Kysely<Tables> | Transaction<Tables>,
  userId: string,
  projectName: string,
): Promise<Pick<Principal, 'projectId' | 'projectName' | 'roles'> | undefined> {
  const project = await db
    .selectFrom('projects')
    .select(['id', 'name', 'enabled'])
    .where('name', '=', projectName)
    .executeTakeFirst()
  if (!project) return undefined
  const grants = await db
    .selectFrom('grants')
    .select(['project_id', 'role'])
    .where('user_id', '=', userId)
    .where(where => where.or([where('project_id', '=', project.id), where('role', '=', 'admin')]))
    .execute()
  const roles = [...new Set(grants.map(grant => grant.role))].sort()
  if (roles.length === 0 || (project.enabled === 0 && !roles.includes('admin'))) return undefined
  return { projectId: project.id, projectName: project.name, roles }
}
