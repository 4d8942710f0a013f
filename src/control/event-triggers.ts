import { randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import {
  AtelierError,
  checkName,
  EVENT_FORMATS,
  EVENT_TRIGGER_KINDS,
  type EventTriggerKind,
  invalidField,
  LIVE_ALIAS,
  newId,
  noSuch,
  type Principal,
  type UrlToken,
} from '../core/index.ts'
import { may } from '../identity/index.ts'
import type { Tables } from '../store/index.ts'
import { needQualifier } from './aliases.ts'
import { type Context, checkRevision } from './context.ts'
import type { EventTriggerInput, EventTriggerView, TriggerChange } from './control.ts'
import {
  configColumns,
  configOf,
  type EventTriggerRow,
  eventTriggersOf,
  openEventTrigger,
  tokensColumn,
  tokensOf,
} from './event-trigger-rows.ts'
import { needFunction } from './functions.ts'
import { joinSecrets, mergePatch, splitSecrets } from './secret-fields.ts'
import type { TriggerRules } from './trigger-catalogue.ts'
import { needFreeName, needRoomAndName, refuseFields, type TriggerFilter } from './trigger-rules.ts'
import { Problems } from './validate.ts'

const CONFIG_BYTES_MAX = 256 * 1024
const TOKEN_BYTES = 24 // 192 bits: nobody guesses a URL
const TOKENS_MAX = 5 // of one trigger: the current one, and old ones in their grace
const GRACE_MS_MAX = 30 * 86_400_000
const HTTP_FIELDS = ['host', 'methods', 'path', 'stripPrefix', 'access', 'cors'] as const

/** What `triggers.ts` does with those that wait for events. */
export function eventTriggers(context: Context) {
  const { store, clock, options } = context
  const keys = options.secretsKey
  return { create, find, list, update, remove, rotate }

  async function create(by: Principal, input: EventTriggerInput): Promise<EventTriggerView> {
    checkName(input.name, 'name')
    refuseFields(input, HTTP_FIELDS, `a trigger of kind ${input.kind}`)
    checkFormat(input.format)
    const rules = await rulesOf(input.kind)
    const config = splitSecrets(checked(rules, input.config ?? {}), rules.secretFields)
    return context.commit(async (tx, touched) => {
      await needRoomAndName(tx, by, input.name)
      const { id: functionId } = await needFunction(tx, by, input.app, input.function)
      const alias = input.alias ?? LIVE_ALIAS
      await needQualifier(tx, functionId, alias)
      const now = clock.now()
      const owner = { id: newId(now), project_id: by.projectId }
      const tokens = rules.hasUrl ? [{ token: newToken() }] : []
      const row = {
        ...owner,
        function_id: functionId,
        name: input.name,
        kind: input.kind,
        alias,
        format: input.format ?? 'native',
        ...configColumns(owner, config, keys),
        ...tokensColumn(owner, tokens, keys),
        paused: input.paused ? 1 : 0,
        revision: 1,
        created_at: now,
        updated_at: now,
      }
      await tx.insertInto('event_triggers').values(row).execute()
      touched.eventTriggers.add(owner.id)
      return view(by, await needRow(tx, by, input.name))
    })
  }

  async function find(by: Principal, name: string): Promise<EventTriggerView | undefined> {
    const row = await findRow(store.db, by, name)
    return row && view(by, row)
  }

  /** At most `limit` of them whose names come after `after`, in the order of their names. */
  async function list(
    by: Principal,
    filter: TriggerFilter & { readonly kind?: EventTriggerKind | undefined },
    after: string,
    limit: number,
  ): Promise<EventTriggerView[]> {
    let query = rowsOf(store.db, by).where('event_triggers.name', '>', after)
    if (filter.app !== undefined) query = query.where('apps.name', '=', filter.app)
    if (filter.function !== undefined) query = query.where('functions.name', '=', filter.function)
    if (filter.kind !== undefined) query = query.where('event_triggers.kind', '=', filter.kind)
    const rows = await query.orderBy('event_triggers.name').limit(limit).execute()
    return rows.map(row => view(by, row))
  }

  async function update(
    by: Principal,
    name: string,
    change: TriggerChange,
    expected: number | undefined,
  ): Promise<EventTriggerView> {
    const { kind } = await needRow(store.db, by, name)
    refuseFields(change, HTTP_FIELDS, `a trigger of kind ${kind}`)
    checkFormat(change.format)
    if (change.name !== undefined) checkName(change.name, 'name')
    const rules = await rulesOf(kind)
    return context.commit(async (tx, touched) => {
      const before = await needRow(tx, by, name)
      checkRevision(`Trigger "${name}"`, before.revision, expected)
      const next = change.name ?? name
      if (next !== name) await needFreeName(tx, by, next)
      const target = await needFunction(
        tx,
        by,
        change.app ?? before.app_name,
        change.function ?? before.function_name,
      )
      const alias = change.alias ?? before.alias
      await needQualifier(tx, target.id, alias)
      await tx
        .updateTable('event_triggers')
        .set({
          name: next,
          function_id: target.id,
          alias,
          ...(change.format && { format: change.format }),
          ...(change.paused !== undefined && { paused: change.paused ? 1 : 0 }),
          ...(change.config && configColumns(before, patched(before, change.config, rules), keys)),
          revision: before.revision + 1,
          updated_at: clock.now(),
        })
        .where('id', '=', before.id)
        .execute()
      touched.eventTriggers.add(before.id)
      return view(by, await needRow(tx, by, next))
    })
  }

  async function remove(by: Principal, name: string, expected: number | undefined): Promise<void> {
    await context.commit(async (tx, touched) => {
      const before = await needRow(tx, by, name)
      checkRevision(`Trigger "${name}"`, before.revision, expected)
      await tx.deleteFrom('event_triggers').where('id', '=', before.id).execute()
      touched.eventTriggers.add(before.id)
    })
  }

  async function rotate(by: Principal, name: string, graceMs: number): Promise<EventTriggerView> {
    if (!Number.isInteger(graceMs) || graceMs < 0 || graceMs > GRACE_MS_MAX)
      throw invalidField('graceMs', `must be a whole number from 0 to ${GRACE_MS_MAX}`)
    return context.commit(async (tx, touched) => {
      const before = await findRow(tx, by, name)
      const tokens = before ? tokensOf(before, keys) : []
      if (!before || tokens.length === 0) {
        const other = before ?? (await httpTriggerNamed(tx, by, name))
        if (!other) throw noSuch('trigger', name)
        throw new AtelierError('CONFLICT', `Trigger "${name}" has no secret URL that could be changed.`)
      }
      const now = clock.now()
      await tx
        .updateTable('event_triggers')
        .set({
          ...tokensColumn(before, rotated(tokens, now, graceMs), keys),
          revision: before.revision + 1,
          updated_at: now,
        })
        .where('id', '=', before.id)
        .execute()
      touched.eventTriggers.add(before.id)
      return view(by, await needRow(tx, by, name))
    })
  }

  function patched(before: EventTriggerRow, patch: Readonly<Record<string, unknown>>, rules: TriggerRules) {
    const config = mergePatch(joinSecrets(configOf(before, keys)), patch)
    return splitSecrets(checked(rules, config as Readonly<Record<string, unknown>>), rules.secretFields)
  }

  function checked(rules: TriggerRules, config: Readonly<Record<string, unknown>>) {
    if (Buffer.byteLength(JSON.stringify(config)) > CONFIG_BYTES_MAX)
      throw new AtelierError('INVALID_INPUT', `config has more than ${CONFIG_BYTES_MAX} bytes.`)
    const result = rules.check(config, clock.now())
    if ('config' in result) return result.config
    const problems = new Problems()
    for (const { pointer, detail } of result.errors)
      problems.add(pointer === '' ? 'config' : `config.${pointer}`, detail)
    problems.throwIfAny()
    return config
  }

  async function rulesOf(kind: string): Promise<TriggerRules> {
    const known = EVENT_TRIGGER_KINDS.find(each => each === kind)
    if (known && !options.triggers)
      throw new AtelierError('NOT_IMPLEMENTED', `This server runs no triggers of kind ${known}.`)
    if (known && options.triggers) return options.triggers.rules(known)
    throw invalidField('kind', `must be one of http, ${EVENT_TRIGGER_KINDS.join(', ')}`)
  }

  function view(by: Principal, row: EventTriggerRow): EventTriggerView {
    const { projectName: _, appName, functionName, tokens, ...shown } = openEventTrigger(row, keys)
    const { open, secret } = configOf(row, keys)
    const [current] = tokens
    return {
      ...shown,
      app: appName,
      function: functionName,
      config: open,
      secretsSet: Object.keys(secret),
      ...(current && may(by, 'write') && { url: `${options.routerUrl()}/-/hooks/${current.token}` }),
    }
  }
}

/** A new token before the old one, which opens the URL for a while yet. */
function rotated(tokens: readonly UrlToken[], now: number, graceMs: number): UrlToken[] {
  const old = tokens
    .map(each => ({ ...each, validUntil: Math.min(each.validUntil ?? Infinity, now + graceMs) }))
    .filter(each => each.validUntil > now)
  return [{ token: newToken() }, ...old].slice(0, TOKENS_MAX)
}

function newToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

function checkFormat(format: string | undefined): void {
  if (format === undefined || EVENT_FORMATS.some(each => each === format)) return
  throw invalidField('format', `must be one of ${EVENT_FORMATS.join(', ')}`)
}

async function needRow(db: Kysely<Tables>, by: Principal, name: string): Promise<EventTriggerRow> {
  const row = await findRow(db, by, name)
  if (!row) throw noSuch('trigger', name)
  return row
}

function findRow(db: Kysely<Tables>, by: Principal, name: string): Promise<EventTriggerRow | undefined> {
  return rowsOf(db, by).where('event_triggers.name', '=', name).executeTakeFirst()
}

function rowsOf(db: Kysely<Tables>, by: Principal) {
  return eventTriggersOf(db).where('event_triggers.project_id', '=', by.projectId)
}

function httpTriggerNamed(db: Kysely<Tables>, by: Principal, name: string) {
  return db
    .selectFrom('triggers')
    .select('id')
    .where('project_id', '=', by.projectId)
    .where('name', '=', name)
    .executeTakeFirst()
}
