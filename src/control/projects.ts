import type { Transaction } from 'kysely'
import { AtelierError, checkName, newId, noSuch, type Project } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type Context, checkRevision, need } from './context.ts'
import type { Control } from './control.ts'
import { checkTier } from './isolation.ts'
import { heldQuota } from './quota.ts'
import { asProject } from './rows.ts'
import { checkDescription, checkQuota, Problems } from './validate.ts'

type ProjectOperations = Pick<
  Control,
  'createProject' | 'getProject' | 'getHeldQuota' | 'listProjects' | 'updateProject' | 'deleteProject'
>

/** Tenants: operators make and change them; everybody may look at their own. */
export function projectOperations(context: Context): ProjectOperations {
  const { store, clock, cursors } = context
  return {
    async createProject(by, { name, description = '', enabled, quota = {}, isolationMin }) {
      need(by, 'operate')
      checkName(name, 'name')
      checkSettings(description, quota)
      await checkTier(context, isolationMin, 'isolationMin')
      return context.commit(async (tx, touched) => {
        const taken = await tx.selectFrom('projects').select('id').where('name', '=', name).executeTakeFirst()
        if (taken) throw new AtelierError('CONFLICT', `There is a project "${name}" already.`)
        if (await hasRoutesBelow(tx, name))
          throw new AtelierError('CONFLICT', `A project has routes below "/${name}": choose another name.`)
        const now = clock.now()
        const row = newProject({ id: newId(now), name, description, enabled, quota, isolationMin }, now)
        await tx.insertInto('projects').values(row).execute()
        touched.projects.add(row.id)
        return asProject(row)
      })
    },

    async getProject(by, name) {
      need(by, 'read')
      if (name !== by.projectName && !by.roles.includes('admin')) throw noSuch('project', name)
      const row = await store.db
        .selectFrom('projects')
        .selectAll()
        .where('name', '=', name)
        .executeTakeFirst()
      if (!row) throw noSuch('project', name)
      return asProject(row)
    },

    async getHeldQuota(by, name) {
      const { id } = await this.getProject(by, name)
      return heldQuota(store.db, context.options.table, id)
    },

    async listProjects(by, request) {
      need(by, 'read')
      const list = 'projects'
      const { limit, after } = cursors.open(list, request)
      let query = store.db
        .selectFrom('projects')
        .selectAll()
        .orderBy('name')
        .limit(limit + 1)
      if (!by.roles.includes('admin')) query = query.where('id', '=', by.projectId)
      if (after) query = query.where('name', '>', String(after[0]))
      return cursors.page(list, await query.execute(), limit, row => [row.name], asProject)
    },

    async updateProject(by, name, change, expected) {
      need(by, 'operate')
      checkSettings(change.description, change.quota ?? {})
      await checkTier(context, change.isolationMin, 'isolationMin')
      const project = await context.commit(async (tx, touched) => {
        const before = await find(tx, name)
        checkRevision(`Project "${name}"`, before.revision, expected)
        await tx
          .updateTable('projects')
          .set({
            ...(change.description === undefined ? {} : { description: change.description }),
            ...(change.enabled === undefined ? {} : { enabled: change.enabled ? 1 : 0 }),
            ...(change.quota === undefined ? {} : { quota_json: JSON.stringify(change.quota) }),
            ...(change.isolationMin === undefined
              ? {}
              : { isolation_min: change.isolationMin === 'gvisor' ? change.isolationMin : null }),
            revision: before.revision + 1,
            updated_at: clock.now(),
          })
          .where('id', '=', before.id)
          .execute()
        touched.projects.add(before.id)
        return find(tx, name)
      })
      context.options.identity?.forgetProject(project.id)
      return project
    },

    async deleteProject(by, name, expected) {
      need(by, 'operate')
      const id = await context.commit(async (tx, touched) => {
        const project = await find(tx, name)
        checkRevision(`Project "${name}"`, project.revision, expected)
        const app = await tx
          .selectFrom('apps')
          .select('name')
          .where('project_id', '=', project.id)
          .limit(1)
          .executeTakeFirst()
        if (app)
          throw new AtelierError(
            'CONFLICT',
            `Project "${name}" still has the app "${app.name}": delete it first.`,
          )
        await needAnOperatorElsewhere(tx, project)
        await tx.deleteFrom('projects').where('id', '=', project.id).execute()
        touched.projects.add(project.id)
        return project.id
      })
      context.options.identity?.forgetProject(id)
    },
  }
}

/** A project as it is stored first. */
export function newProject(
  input: Pick<Project, 'id' | 'name' | 'description'> & {
    readonly enabled?: boolean | undefined
    readonly quota?: Project['quota']
    readonly isolationMin?: Project['isolationMin'] | undefined
  },
  nowMs: number,
) {
  const { id, name, description, enabled = true, quota = {}, isolationMin } = input
  return {
    id,
    name,
    description,
    enabled: enabled ? 1 : 0,
    quota_json: JSON.stringify(quota),
    isolation_min: isolationMin === 'gvisor' ? isolationMin : null,
    revision: 1,
    created_at: nowMs,
    updated_at: nowMs,
  }
}

/** Whether somebody's routes lie below `/<name>/`, where the functions of a project of that name would answer. */
export async function hasRoutesBelow(tx: Transaction<Tables>, name: string): Promise<boolean> {
  const route = await tx
    .selectFrom('triggers')
    .select('id')
    .where('space', '=', `path:${name}`)
    .limit(1)
    .executeTakeFirst()
  return route !== undefined
}

function checkSettings(description: string | undefined, quota: Project['quota']): void {
  const problems = new Problems()
  checkDescription(description, problems)
  checkQuota(quota, problems)
  problems.throwIfAny()
}

async function find(tx: Transaction<Tables>, name: string): Promise<Project> {
  const row = await tx.selectFrom('projects').selectAll().where('name', '=', name).executeTakeFirst()
  if (!row) throw noSuch('project', name)
  return asProject(row)
}

// A project's grants go with it, and with the last operator's nobody could come in any more.
async function needAnOperatorElsewhere(tx: Transaction<Tables>, project: Project): Promise<void> {
  const operators = await tx
    .selectFrom('grants')
    .select('project_id')
    .distinct()
    .where('role', '=', 'admin')
    .execute()
  // None at all: they are kept elsewhere.
  if (operators.length > 0 && operators.every(each => each.project_id === project.id))
    throw new AtelierError(
      'CONFLICT',
      `All operators have their role in project "${project.name}": grant admin in another project first.`,
    )
}
