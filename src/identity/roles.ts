import type { Kysely, Transaction } from 'kysely'
import { invalidField, type Principal, type Role } from '../core/index.ts'
import type { Tables } from '../store/index.ts'

/** All there are. They are fixed: the policy knows them by name. */
export const ROLES: readonly Role[] = ['admin', 'member', 'reader', 'service']

export type Db = Kysely<Tables> | Transaction<Tables>

/** A project as somebody names it. */
export type ProjectReference = { readonly id: string } | { readonly name: string }

/**
 * What a user is in a project, or `undefined` when it has no business there. Who is an operator in one project is one in
 * all of them, also where nothing was granted and in a project that is switched off.
 */
export async function rolesIn(
  db: Db,
  userId: string,
  reference: ProjectReference,
): Promise<Pick<Principal, 'projectId' | 'projectName' | 'roles'> | undefined> {
  const projects = db.selectFrom('projects').select(['id', 'name', 'enabled'])
  const project = await ('id' in reference
    ? projects.where('id', '=', reference.id)
    : projects.where('name', '=', reference.name)
  ).executeTakeFirst()
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

/** As they are kept in one column. */
export function rolesOfText(text: string): readonly Role[] {
  return text.split(',').filter(isRole)
}

/** Whether there is a role of this name. */
export function isRole(text: string): text is Role {
  return (ROLES as readonly string[]).includes(text)
}

/** Throws INVALID_INPUT. */
export function checkRole(role: string): void {
  if (!isRole(role)) throw invalidField('role', `must be one of ${ROLES.join(', ')}`)
}
