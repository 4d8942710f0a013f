import { noSuch, type Project, type Role } from '../core/index.ts'
import type { Store } from '../store/index.ts'
import { addGrant, type GrantRow, hasGrant, needOperator, removeGrant } from './accounts.ts'
import { type Db, isRole } from './roles.ts'
import type { Named, Session } from './session.ts'

const PROJECTS_MAX = 10_000
const ASSIGNMENTS_MAX = 100_000

/** A project, as far as the identity API shows it. */
export type Place = Pick<Project, 'id' | 'name' | 'description' | 'enabled'>

/** A role of a user in a project. */
export interface Assignment {
  readonly user: Named
  readonly project: Named
  readonly role: Role
}

/** Who has which role where. */
export interface AssignmentId {
  readonly userId: string
  readonly projectId: string
  readonly role: string
}

/** Projects by id, and who has which role in them. Changing projects is the control plane's. FORBIDDEN for what needs an operator. */
export interface Places {
  /** The session's own, or any for an operator. */
  getPlace(by: Session, id: string): Promise<Place>
  listPlaces(
    by: Session,
    filter: { readonly name?: string; readonly enabled?: boolean },
  ): Promise<readonly Place[]>
  /** Where a user may work: one's own, or anybody's for an operator. */
  placesOf(by: Session, userId: string): Promise<readonly Place[]>
  listAssignments(by: Session, filter: Partial<AssignmentId>): Promise<readonly Assignment[]>
  /** NOT_FOUND names which of the three there is not. */
  assign(by: Session, id: AssignmentId): Promise<void>
  unassign(by: Session, id: AssignmentId): Promise<void>
  isAssigned(by: Session, id: AssignmentId): Promise<boolean>
}

export function places(store: Store, forgetUser: (userId: string) => void): Places {
  const columns = ['projects.id', 'projects.name', 'projects.description', 'projects.enabled'] as const

  return {
    async getPlace(by, id) {
      if (by.project?.id !== id) needOperator(by, 'look at other projects')
      const row = await store.db
        .selectFrom('projects')
        .select(columns)
        .where('id', '=', id)
        .executeTakeFirst()
      if (!row) throw noSuch('project', id)
      return asPlace(row)
    },

    async listPlaces(by, { name, enabled }) {
      needOperator(by, 'list all projects')
      let query = store.db.selectFrom('projects').select(columns).orderBy('name').limit(PROJECTS_MAX)
      if (name !== undefined) query = query.where('name', '=', name)
      if (enabled !== undefined) query = query.where('enabled', '=', enabled ? 1 : 0)
      return (await query.execute()).map(asPlace)
    },

    async placesOf(by, userId) {
      if (by.user.id !== userId) needOperator(by, 'list the projects of another user')
      await needUser(store.db, userId)
      const rows = await store.db
        .selectFrom('projects')
        .innerJoin('grants', 'grants.project_id', 'projects.id')
        .select(columns)
        .distinct()
        .where('grants.user_id', '=', userId)
        .orderBy('projects.name')
        .limit(PROJECTS_MAX)
        .execute()
      return rows.map(asPlace)
    },

    async listAssignments(by, { userId, projectId, role }) {
      needOperator(by, 'list who has which role')
      let query = store.db
        .selectFrom('grants')
        .innerJoin('users', 'users.id', 'grants.user_id')
        .innerJoin('projects', 'projects.id', 'grants.project_id')
        .select(['grants.user_id', 'grants.project_id', 'grants.role'])
        .select(['users.name as user_name', 'projects.name as project_name'])
        .orderBy('projects.name')
        .orderBy('users.name')
        .orderBy('grants.role')
        .limit(ASSIGNMENTS_MAX)
      if (userId !== undefined) query = query.where('grants.user_id', '=', userId)
      if (projectId !== undefined) query = query.where('grants.project_id', '=', projectId)
      if (role !== undefined) {
        if (!isRole(role)) return []
        query = query.where('grants.role', '=', role)
      }
      return (await query.execute()).map(row => ({
        user: { id: row.user_id, name: row.user_name },
        project: { id: row.project_id, name: row.project_name },
        role: row.role,
      }))
    },

    async assign(by, id) {
      needOperator(by, 'grant a role')
      await store.transaction(async tx => addGrant(tx, await rowOf(tx, id)))
      forgetUser(id.userId)
    },

    async unassign(by, id) {
      needOperator(by, 'take a role away')
      await store.transaction(async tx => {
        if (!(await removeGrant(tx, await rowOf(tx, id)))) throw noSuch('role of this user there', id.role)
      })
      forgetUser(id.userId)
    },

    async isAssigned(by, id) {
      needOperator(by, 'look at who has which role')
      return hasGrant(store.db, await rowOf(store.db, id))
    },
  }
}

async function rowOf(db: Db, { userId, projectId, role }: AssignmentId): Promise<GrantRow> {
  await needUser(db, userId)
  const project = await db.selectFrom('projects').select('id').where('id', '=', projectId).executeTakeFirst()
  if (!project) throw noSuch('project', projectId)
  if (!isRole(role)) throw noSuch('role', role)
  return { user_id: userId, project_id: projectId, role }
}

async function needUser(db: Db, id: string): Promise<void> {
  const user = await db.selectFrom('users').select('id').where('id', '=', id).executeTakeFirst()
  if (!user) throw noSuch('user', id)
}

function asPlace(row: { id: string; name: string; description: string; enabled: number }): Place {
  return { ...row, enabled: row.enabled === 1 }
}
