import type { Kysely, Transaction } from 'kysely'
import { type App, AtelierError, checkName, newId, noSuch, type Principal } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type Context, checkRevision, need } from './context.ts'
import type { Control } from './control.ts'
import type { Touched } from './publish.ts'
import { asApp } from './rows.ts'
import { checkConfig, checkDescription, Problems } from './validate.ts'

type AppOperations = Pick<Control, 'createApp' | 'getApp' | 'listApps' | 'updateApp' | 'deleteApp'>

const APPS_MAX = 10_000 // in one project

export function appOperations(context: Context): AppOperations {
  const { store, clock, cursors } = context
  return {
    async createApp(by, { name, description = '', config = {} }) {
      need(by, 'write')
      checkName(name, 'name')
      checkSettings(description, config)
      return context.commit(async tx => {
        if (await findAppRow(tx, by, name))
          throw new AtelierError('CONFLICT', `There is an app "${name}" already.`)
        return insertApp(tx, by, { name, description, config }, clock.now())
      })
    },

    async getApp(by, name) {
      need(by, 'read')
      return needApp(store.db, by, name)
    },

    async listApps(by, request) {
      need(by, 'read')
      const list = `apps of ${by.projectId}`
      const { limit, after } = cursors.open(list, request)
      let query = store.db.selectFrom('apps').selectAll().where('project_id', '=', by.projectId)
      if (after) query = query.where('name', '>', String(after[0]))
      const rows = await query
        .orderBy('name')
        .limit(limit + 1)
        .execute()
      return cursors.page(list, rows, limit, row => [row.name], asApp)
    },

    async updateApp(by, name, change, expected) {
      need(by, 'write')
      checkSettings(change.description, change.config ?? {})
      return context.commit(async tx => {
        const before = await needApp(tx, by, name)
        checkRevision(`App "${name}"`, before.revision, expected)
        await tx
          .updateTable('apps')
          .set({
            ...(change.description === undefined ? {} : { description: change.description }),
            ...(change.config === undefined ? {} : { config_json: JSON.stringify(change.config) }),
            revision: before.revision + 1,
            updated_at: clock.now(),
          })
          .where('id', '=', before.id)
          .execute()
        return needApp(tx, by, name)
      })
    },

    async deleteApp(by, name, { force, expected }) {
      need(by, 'write')
      await context.commit(async (tx, touched) => {
        const app = await needApp(tx, by, name)
        checkRevision(`App "${name}"`, app.revision, expected)
        const functions = await tx
          .selectFrom('functions')
          .select(['id', 'name'])
          .where('app_id', '=', app.id)
          .execute()
        if (functions.length > 0 && !force)
          throw new AtelierError(
            'CONFLICT',
            `App "${name}" still has ${functions.length} functions, such as "${functions[0]?.name}": delete them first, or force it.`,
          )
        await touchFunctionsAndTriggers(tx, { app: app.id }, touched)
        await tx.deleteFrom('apps').where('id', '=', app.id).execute()
      })
    },
  }
}

/** A function that is about to go, or all of an app, with the triggers that go with them. */
export async function touchFunctionsAndTriggers(
  tx: Transaction<Tables>,
  which: { readonly app: string } | { readonly function: string },
  touched: Touched,
): Promise<void> {
  const all = tx.selectFrom('functions').select('functions.id')
  const going = 'app' in which ? all.where('app_id', '=', which.app) : all.where('id', '=', which.function)
  for (const { id } of await going.execute()) touched.functions.add(id)
  for (const [table, ids] of [
    ['triggers', touched.triggers],
    ['event_triggers', touched.eventTriggers],
  ] as const) {
    const found = await tx.selectFrom(table).select('id').where('function_id', 'in', going).execute()
    for (const { id } of found) ids.add(id)
  }
}

/** The app of this name in the principal's project. */
export async function needApp(db: Kysely<Tables>, by: Principal, name: string): Promise<App> {
  const row = await findAppRow(db, by, name)
  if (!row) throw noSuch('app', name)
  return asApp(row)
}

/** The app of this name, made when it is new. */
export async function ensureApp(
  tx: Transaction<Tables>,
  by: Principal,
  name: string,
  now: number,
): Promise<App> {
  const row = await findAppRow(tx, by, name)
  return row ? asApp(row) : insertApp(tx, by, { name, description: '', config: {} }, now)
}

async function insertApp(
  tx: Transaction<Tables>,
  by: Principal,
  input: { name: string; description: string; config: Record<string, string> },
  now: number,
): Promise<App> {
  const { count } = await tx
    .selectFrom('apps')
    .select(select => select.fn.countAll<number | string>().as('count'))
    .where('project_id', '=', by.projectId)
    .executeTakeFirstOrThrow()
  if (Number(count) >= APPS_MAX)
    throw new AtelierError(
      'QUOTA_EXCEEDED',
      `Project "${by.projectName}" has ${count} apps, which is the most.`,
    )
  const row = {
    id: newId(now),
    project_id: by.projectId,
    name: input.name,
    description: input.description,
    config_json: JSON.stringify(input.config),
    revision: 1,
    created_at: now,
    updated_at: now,
  }
  await tx.insertInto('apps').values(row).execute()
  return asApp(row)
}

function findAppRow(db: Kysely<Tables>, by: Principal, name: string) {
  return db
    .selectFrom('apps')
    .selectAll()
    .where('project_id', '=', by.projectId)
    .where('name', '=', name)
    .executeTakeFirst()
}

function checkSettings(description: string | undefined, config: Record<string, string>): void {
  const problems = new Problems()
  checkDescription(description, problems)
  checkConfig(config, problems)
  problems.throwIfAny()
}
