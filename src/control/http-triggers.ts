import { hostname } from 'node:os'
import type { Kysely, Transaction } from 'kysely'
import {
  type Access,
  AtelierError,
  type Cors,
  checkName,
  type HttpTrigger,
  LIVE_ALIAS,
  newId,
  noSuch,
  type Principal,
} from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { needQualifier } from './aliases.ts'
import { type Context, checkRevision } from './context.ts'
import type { HttpTriggerInput, HttpTriggerView, TriggerChange } from './control.ts'
import { checkCors, completeCors } from './cors.ts'
import { checkAccess, needFunction } from './functions.ts'
import { checkRoute, methodsOverlap, placeOf } from './routes.ts'
import { asTrigger } from './rows.ts'
import { needFreeName, needRoomAndName, refuseFields, type TriggerFilter } from './trigger-rules.ts'
import { Problems } from './validate.ts'

/** The name that this machine has among its neighbours. */
const MACHINE = hostname().toLowerCase()
const EVENT_FIELDS = ['format', 'config', 'paused'] as const

/** A trigger's input with nothing left open. */
interface RouteSettings {
  readonly name: string
  readonly app: string
  readonly function: string
  readonly alias: string
  /** Empty for any. */
  readonly host: string
  readonly methods: readonly string[]
  readonly path: string
  readonly stripPrefix: boolean
  readonly access: Access | undefined
  readonly cors: Cors | undefined
}

/** What `triggers.ts` does with those that are routes of the router. */
export function httpTriggers(context: Context) {
  const { store, clock } = context
  return { create, find, list, update, remove }

  async function create(by: Principal, input: HttpTriggerInput): Promise<HttpTriggerView> {
    refuseFields(input, EVENT_FIELDS, 'an HTTP trigger')
    const settings = completed(input)
    check(settings)
    return context.commit(async (tx, touched) => {
      await needRoomAndName(tx, by, settings.name)
      const now = clock.now()
      const row = {
        id: newId(now),
        project_id: by.projectId,
        ...(await columns(tx, by, settings, undefined)),
        revision: 1,
        created_at: now,
        updated_at: now,
      }
      await tx.insertInto('triggers').values(row).execute()
      touched.triggers.add(row.id)
      return view(await needRow(tx, by, settings.name))
    })
  }

  async function find(by: Principal, name: string): Promise<HttpTriggerView | undefined> {
    const row = await findRow(store.db, by, name)
    return row && view(row)
  }

  /** At most `limit` of them whose names come after `after`, in the order of their names. */
  async function list(by: Principal, filter: TriggerFilter, after: string, limit: number) {
    let query = triggersOf(store.db, by).where('triggers.name', '>', after)
    if (filter.app !== undefined) query = query.where('apps.name', '=', filter.app)
    if (filter.function !== undefined) query = query.where('functions.name', '=', filter.function)
    return (await query.orderBy('triggers.name').limit(limit).execute()).map(view)
  }

  async function update(by: Principal, name: string, change: TriggerChange, expected?: number) {
    refuseFields(change, EVENT_FIELDS, 'an HTTP trigger')
    return context.commit(async (tx, touched) => {
      const before = await needRow(tx, by, name)
      checkRevision(`Trigger "${name}"`, before.revision, expected)
      const { app_name: app, function_name: functionName } = before
      const settings = completed({ ...asTrigger(before), app, function: functionName, ...change })
      check(settings)
      if (settings.name !== name) await needFreeName(tx, by, settings.name)
      await tx
        .updateTable('triggers')
        .set({
          ...(await columns(tx, by, settings, before.id)),
          revision: before.revision + 1,
          updated_at: clock.now(),
        })
        .where('id', '=', before.id)
        .execute()
      touched.triggers.add(before.id)
      return view(await needRow(tx, by, settings.name))
    })
  }

  async function remove(by: Principal, name: string, expected: number | undefined): Promise<void> {
    await context.commit(async (tx, touched) => {
      const before = await needRow(tx, by, name)
      checkRevision(`Trigger "${name}"`, before.revision, expected)
      await tx.deleteFrom('triggers').where('id', '=', before.id).execute()
      touched.triggers.add(before.id)
    })
  }

  function check(settings: RouteSettings): void {
    const problems = new Problems()
    checkRoute(settings, ['localhost', MACHINE, new URL(context.options.routerUrl()).hostname], problems)
    checkAccess(settings.access, problems)
    if (settings.cors) checkCors(settings.cors, problems)
    problems.throwIfAny()
  }

  function view(row: TriggerRow): HttpTriggerView {
    const trigger = asTrigger(row)
    return { kind: 'http', ...trigger, app: row.app_name, function: row.function_name, url: urlOf(trigger) }
  }

  function urlOf({ host, path }: HttpTrigger): string {
    const url = new URL(context.options.routerUrl())
    return `${url.protocol}//${host === undefined ? url.host : `${host}${url.port && `:${url.port}`}`}${path}`
  }
}

/** The row of a trigger, once its function exists and its place is free. */
async function columns(
  tx: Transaction<Tables>,
  by: Principal,
  settings: RouteSettings,
  ownId: string | undefined,
) {
  const { id } = await needFunction(tx, by, settings.app, settings.function)
  await needQualifier(tx, id, settings.alias)
  const { space, shape } = await takePlace(tx, by, settings, ownId)
  return {
    function_id: id,
    name: settings.name,
    space,
    host: settings.host,
    methods_json: JSON.stringify(settings.methods),
    path: settings.path,
    shape,
    strip_prefix: settings.stripPrefix ? 1 : 0,
    alias: settings.alias,
    access: settings.access ?? null,
    cors_json: settings.cors ? JSON.stringify(settings.cors) : null,
  }
}

/** Throws CONFLICT when the place is somebody's, without telling whose. */
async function takePlace(
  tx: Transaction<Tables>,
  by: Principal,
  settings: RouteSettings,
  ownId: string | undefined,
) {
  const { host, path } = settings
  const { space, shape, firstSegment } = placeOf(host, path)
  // Two nodes that route at the same moment decide one after the other.
  await tx
    .updateTable('locks')
    .set(update => ({ taken: update('taken', '+', 1) }))
    .where('name', '=', 'routes')
    .execute()
  const other = await tx
    .selectFrom('triggers')
    .select('id')
    .where('space', '=', space)
    .where('project_id', '!=', by.projectId)
    .limit(1)
    .executeTakeFirst()
  const project =
    firstSegment === undefined || firstSegment === by.projectName
      ? undefined
      : await tx.selectFrom('projects').select('id').where('name', '=', firstSegment).executeTakeFirst()
  if (other || project)
    throw new AtelierError(
      'CONFLICT',
      host === ''
        ? `Paths that begin like "${path}" are taken: choose another first segment, or a host of your own.`
        : `The host "${host}" is taken: choose another.`,
    )
  const same = await tx
    .selectFrom('triggers')
    .select(['id', 'name', 'methods_json'])
    .where('space', '=', space)
    .where('host', '=', host)
    .where('shape', '=', shape)
    .execute()
  const conflict = same.find(
    row => row.id !== ownId && methodsOverlap(settings.methods, JSON.parse(row.methods_json) as string[]),
  )
  if (conflict)
    throw new AtelierError(
      'CONFLICT',
      `The trigger "${conflict.name}" takes the same requests: change one of the two.`,
    )
  return { space, shape }
}

/** `null` is as if nothing was ever said. */
function completed(
  input: TriggerChange & Pick<HttpTriggerInput, 'name' | 'app' | 'function' | 'path'>,
): RouteSettings {
  checkName(input.name, 'name')
  return {
    name: input.name,
    app: input.app,
    function: input.function,
    alias: input.alias ?? LIVE_ALIAS,
    host: (input.host ?? '').toLowerCase(),
    methods: (input.methods ?? []).map(method => method.toUpperCase()),
    path: input.path,
    stripPrefix: input.stripPrefix ?? false,
    access: input.access ?? undefined,
    cors: input.cors ? completeCors(input.cors) : undefined,
  }
}

type TriggerRow = Awaited<ReturnType<typeof needRow>>

async function needRow(db: Kysely<Tables>, by: Principal, name: string) {
  const row = await findRow(db, by, name)
  if (!row) throw noSuch('trigger', name)
  return row
}

function findRow(db: Kysely<Tables>, by: Principal, name: string) {
  return triggersOf(db, by).where('triggers.name', '=', name).executeTakeFirst()
}

function triggersOf(db: Kysely<Tables>, by: Principal) {
  return db
    .selectFrom('triggers')
    .innerJoin('functions', 'functions.id', 'triggers.function_id')
    .innerJoin('apps', 'apps.id', 'functions.app_id')
    .selectAll('triggers')
    .select(['functions.name as function_name', 'apps.name as app_name'])
    .where('triggers.project_id', '=', by.projectId)
}
