import type { Kysely, Transaction } from 'kysely'
import {
  type Access,
  type FunctionRecord,
  LIVE_ALIAS,
  noSuch,
  type Principal,
  type Version,
} from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { touchFunctionsAndTriggers } from './apps.ts'
import {
  type AsyncChange,
  type AsyncOwn,
  asyncJson,
  changed,
  checkAsync,
  complete,
} from './async-settings.ts'
import { type Context, checkRevision, need } from './context.ts'
import type { Control } from './control.ts'
import { asFunction, asTargets, asVersion } from './rows.ts'
import { checkDescription, Problems } from './validate.ts'

type FunctionOperations = Pick<Control, 'getFunction' | 'listFunctions' | 'updateFunction' | 'deleteFunction'>

export function functionOperations(context: Context): FunctionOperations {
  const { store, clock, cursors } = context
  return {
    async getFunction(by, app, name) {
      need(by, 'read')
      return needFunction(store.db, by, app, name)
    },

    async listFunctions(by, { app }, request) {
      need(by, 'read')
      const list = `functions of ${by.projectId}`
      const { limit, after } = cursors.open(list, request)
      let query = functionsOf(store.db, by)
      if (app !== undefined) query = query.where('apps.name', '=', app)
      if (after) {
        const [afterApp, afterName] = after.map(String) as [string, string]
        query = query.where(where =>
          where.or([
            where('apps.name', '>', afterApp),
            where.and([where('apps.name', '=', afterApp), where('functions.name', '>', afterName)]),
          ]),
        )
      }
      const rows = await query
        .orderBy('apps.name')
        .orderBy('functions.name')
        .limit(limit + 1)
        .execute()
      return cursors.page(list, rows, limit, row => [row.app_name, row.name], asFunction)
    },

    async updateFunction(by, app, name, change, expected) {
      need(by, 'write')
      const problems = new Problems()
      checkDescription(change.description, problems)
      checkAccess(change.access, problems)
      problems.throwIfAny()
      return context.commit(async (tx, touched) => {
        const before = await needFunction(tx, by, app, name)
        checkRevision(`Function "${name}"`, before.revision, expected)
        const asyncJson = change.async && (await changedAsync(tx, before.id, change.async))
        await tx
          .updateTable('functions')
          .set({
            ...(change.description === undefined ? {} : { description: change.description }),
            ...(change.access === undefined ? {} : { access: change.access }),
            ...(asyncJson === undefined ? {} : { async_json: asyncJson }),
            revision: before.revision + 1,
            updated_at: clock.now(),
          })
          .where('id', '=', before.id)
          .execute()
        touched.functions.add(before.id)
        return needFunction(tx, by, app, name)
      })
    },

    async deleteFunction(by, app, name, expected) {
      need(by, 'write')
      await context.commit(async (tx, touched) => {
        const before = await needFunction(tx, by, app, name)
        checkRevision(`Function "${name}"`, before.revision, expected)
        await touchFunctionsAndTriggers(tx, { function: before.id }, touched)
        await tx.deleteFrom('functions').where('id', '=', before.id).execute()
      })
    },
  }
}

/** The function of this name in the principal's project. */
export async function needFunction(
  db: Kysely<Tables>,
  by: Principal,
  app: string,
  name: string,
): Promise<FunctionRecord> {
  const found = await findFunction(db, by, app, name)
  if (!found) throw noSuch('function', `${app}/${name}`)
  return found
}

export async function findFunction(
  db: Kysely<Tables>,
  by: Principal,
  app: string,
  name: string,
): Promise<FunctionRecord | undefined> {
  const row = await functionsOf(db, by)
    .where('apps.name', '=', app)
    .where('functions.name', '=', name)
    .executeTakeFirst()
  return row && asFunction(row)
}

/** A version with what the function itself configured, which the next deploy starts from. */
export interface LiveVersion {
  readonly version: Version
  readonly ownConfig: Readonly<Record<string, string>>
  /** Gets every call, not only most of them. */
  readonly isSole: boolean
}

/** The version that gets most of the live alias' calls, or `undefined` when nothing is live. */
export async function liveVersion(db: Kysely<Tables>, functionId: string): Promise<LiveVersion | undefined> {
  const alias = await db
    .selectFrom('aliases')
    .select('targets_json')
    .where('function_id', '=', functionId)
    .where('name', '=', LIVE_ALIAS)
    .executeTakeFirst()
  if (!alias) return undefined
  const targets = [...asTargets(alias.targets_json)]
  const [main] = targets.sort((a, b) => b.weight - a.weight || b.version - a.version)
  const row = await db
    .selectFrom('versions')
    .selectAll()
    .where('function_id', '=', functionId)
    .where('number', '=', main?.version ?? 0)
    .executeTakeFirst()
  return (
    row && {
      version: asVersion(row),
      ownConfig: JSON.parse(row.own_config_json) as Record<string, string>,
      isSole: targets.length === 1,
    }
  )
}

/**
 * The function's settings with the change, as text for the store; `undefined` when it changes nothing. Throws INVALID_INPUT for what
 * they cannot be.
 */
export async function changedAsync(
  tx: Transaction<Tables>,
  functionId: string,
  change: AsyncChange,
): Promise<string | null | undefined> {
  const row = await tx
    .selectFrom('functions')
    .select('async_json')
    .where('id', '=', functionId)
    .executeTakeFirstOrThrow()
  const before = row.async_json === null ? {} : (JSON.parse(row.async_json) as AsyncOwn)
  const own = changed(before, change)
  const problems = new Problems()
  checkAsync(complete(own), problems)
  problems.throwIfAny()
  const json = asyncJson(own)
  return json === row.async_json ? undefined : json
}

export function checkAccess(access: Access | undefined, problems: Problems): void {
  if (access !== undefined && access !== 'public' && access !== 'private')
    problems.add('access', 'must be "public" or "private"')
}

function functionsOf(db: Kysely<Tables>, by: Principal) {
  return db
    .selectFrom('functions')
    .innerJoin('apps', 'apps.id', 'functions.app_id')
    .selectAll('functions')
    .select('apps.name as app_name')
    .where('functions.project_id', '=', by.projectId)
}
