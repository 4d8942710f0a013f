import type { Kysely, Transaction } from 'kysely'
import type {
  AliasTarget,
  FunctionTable,
  TableChange,
  TableFunction,
  TableProject,
  TableVersion,
} from '../core/index.ts'
import type { Note } from '../nodes/index.ts'
import type { Tables } from '../store/index.ts'
import { eventTriggersOf, openEventTrigger } from './event-trigger-rows.ts'
import { Interner } from './interner.ts'
import { asAsync, asProject, asTargets, asTrigger } from './rows.ts'
import type { SecretKeys } from './sealing.ts'

type Db = Kysely<Tables> | Transaction<Tables>

/** What a transaction has changed: read again at its end, and put in the table after the commit. */
export class Touched {
  readonly functions = new Set<string>()
  readonly triggers = new Set<string>()
  readonly eventTriggers = new Set<string>()
  readonly projects = new Set<string>()

  get isEmpty(): boolean {
    return this.#all.every(([, ids]) => ids.size === 0)
  }

  /** For other nodes. */
  note(): Note {
    return Object.fromEntries(
      this.#all.filter(([, ids]) => ids.size > 0).map(([kind, ids]) => [kind, [...ids]]),
    )
  }

  /** What another node noted. */
  add(note: Note): void {
    for (const [kind, ids] of this.#all) for (const id of note[kind] ?? []) ids.add(id)
  }

  /** All that is in the table, which may hold what is gone. */
  addTable(table: FunctionTable): void {
    for (const [kind, ids] of this.#all) for (const id of table[kind].keys()) ids.add(id)
  }

  get #all() {
    const { functions, triggers, eventTriggers, projects } = this
    return [
      ['functions', functions],
      ['triggers', triggers],
      ['eventTriggers', eventTriggers],
      ['projects', projects],
    ] as const
  }
}

const BATCH = 500 // functions that are read at once, and ids in one statement

/** Reads entries of the function table from the store; equal parts of different entries are one object. */
export class EntryReader {
  readonly #interner = new Interner()
  readonly #keys: SecretKeys

  constructor(keys: SecretKeys) {
    this.#keys = keys
  }

  /** Entries as they are now; `undefined` for what is gone. */
  async changes(db: Db, touched: Touched): Promise<TableChange[]> {
    const changes: TableChange[] = []
    for (const ids of batches([...touched.projects])) {
      const found = new Map((await this.#projects(db, ids)).map(project => [project.id, project]))
      for (const id of ids) changes.push({ kind: 'project', id, value: found.get(id) })
    }
    for (const ids of batches([...touched.functions])) {
      const found = new Map((await this.#functions(db, ids)).map(entry => [entry.id, entry]))
      for (const id of ids) changes.push({ kind: 'function', id, value: found.get(id) })
    }
    for (const ids of batches([...touched.triggers])) {
      const rows = await db.selectFrom('triggers').selectAll().where('id', 'in', ids).execute()
      const found = new Map(rows.map(row => [row.id, asTrigger(row)]))
      for (const id of ids) changes.push({ kind: 'trigger', id, value: found.get(id) })
    }
    for (const ids of batches([...touched.eventTriggers])) {
      const rows = await eventTriggersOf(db).where('event_triggers.id', 'in', ids).execute()
      const found = new Map(rows.map(row => [row.id, openEventTrigger(row, this.#keys)]))
      for (const id of ids) changes.push({ kind: 'eventTrigger', id, value: found.get(id) })
    }
    return changes
  }

  /** Ids of everything that the table holds. */
  async everything(db: Db): Promise<Touched> {
    const all = new Touched()
    const idsOf = (
      table: 'projects' | 'functions' | 'triggers' | 'event_triggers',
    ): Promise<{ id: string }[]> => db.selectFrom(table).select('id').orderBy('id').execute()
    for (const { id } of await idsOf('projects')) all.projects.add(id)
    for (const { id } of await idsOf('functions')) all.functions.add(id)
    for (const { id } of await idsOf('triggers')) all.triggers.add(id)
    for (const { id } of await idsOf('event_triggers')) all.eventTriggers.add(id)
    return all
  }

  async #projects(db: Db, ids: readonly string[]): Promise<TableProject[]> {
    const rows = await db.selectFrom('projects').selectAll().where('id', 'in', ids).execute()
    return rows.map(asProject).map(({ id, name, enabled, quota, isolationMin }) => ({
      id,
      name,
      enabled,
      ...(isolationMin && { isolationMin }),
      ...(quota.concurrency !== undefined && { concurrencyMax: quota.concurrency }),
      ...(quota.callsPerMinute !== undefined && { callsPerMinuteMax: quota.callsPerMinute }),
      ...(quota.queuedCalls !== undefined && { queuedCallsMax: quota.queuedCalls }),
      ...(quota.queuedBytes !== undefined && { queuedBytesMax: quota.queuedBytes }),
    }))
  }

  async #functions(db: Db, ids: readonly string[]): Promise<TableFunction[]> {
    const rows = await db
      .selectFrom('functions')
      .innerJoin('apps', 'apps.id', 'functions.app_id')
      .innerJoin('projects', 'projects.id', 'functions.project_id')
      .select(['functions.id', 'functions.name', 'functions.access', 'functions.project_id'])
      .select('functions.async_json')
      .select(['apps.name as app_name', 'projects.name as project_name'])
      .where('functions.id', 'in', ids)
      .execute()
    const versions = new Map<string, Map<number, TableVersion>>()
    const aliases = new Map<string, Map<string, readonly AliasTarget[]>>()
    const shared = this.#interner
    const owners = new Map<string, Pick<TableVersion, Owner>>()
    for (const row of rows) {
      versions.set(row.id, new Map())
      aliases.set(row.id, new Map())
      owners.set(row.id, {
        functionId: row.id,
        projectId: shared.text(row.project_id),
        projectName: shared.text(row.project_name),
        appName: shared.text(row.app_name),
        functionName: row.name,
      })
    }
    const specs = await db
      .selectFrom('versions')
      .select(['id', 'function_id', 'number', 'spec_json'])
      .where('function_id', 'in', ids)
      .orderBy('number')
      .execute()
    for (const { id, function_id, number, spec_json } of specs) {
      const owner = owners.get(function_id)
      if (owner) versions.get(function_id)?.set(number, { id, number, ...owner, ...shared.spec(spec_json) })
    }
    const targets = await db
      .selectFrom('aliases')
      .select(['function_id', 'name', 'targets_json'])
      .where('function_id', 'in', ids)
      .execute()
    for (const row of targets)
      aliases.get(row.function_id)?.set(shared.text(row.name), shared.targets(row.targets_json, asTargets))
    return rows.flatMap(row => {
      const owner = owners.get(row.id)
      if (!owner) return []
      const { projectId, projectName, appName, functionName: name } = owner
      const own = { versions: versions.get(row.id) ?? new Map(), aliases: aliases.get(row.id) ?? new Map() }
      return [
        { id: row.id, projectId, projectName, appName, name, access: row.access, ...own, ...asyncOf(row) },
      ]
    })
  }
}

/** Most functions say nothing: then it costs nothing. */
function asyncOf(row: { async_json: string | null }): Pick<TableFunction, 'async'> {
  return row.async_json === null ? {} : { async: asAsync(row.async_json) }
}

type Owner = 'functionId' | 'projectId' | 'projectName' | 'appName' | 'functionName'

function* batches<T>(all: readonly T[]): Generator<T[]> {
  for (let at = 0; at < all.length; at += BATCH) yield all.slice(at, at + BATCH)
}
