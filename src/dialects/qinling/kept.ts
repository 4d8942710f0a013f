import { randomUUID } from 'node:crypto'
import type { DialectRecord, DialectRecords } from '../../control/index.ts'
import { AtelierError } from '../../core/index.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { isTrue, matches, shown } from './reading.ts'

export interface KeptRuntime {
  readonly name: string | null
  readonly image: string
  readonly description: string | null
  readonly isPublic: boolean
  readonly trusted: boolean
  readonly status: 'creating' | 'available' | 'error' | 'upgrading' | 'deleting'
}

export type Code =
  | { readonly source: 'package'; readonly md5sum: string }
  | { readonly source: 'swift'; readonly swift: { readonly container: string; readonly object: string } }
  | { readonly source: 'image'; readonly image: string }

/** What decides how a function runs; a version freezes it. */
export interface Running {
  readonly code: Code
  readonly entry: string | null
  readonly cpu: number
  readonly memorySize: number
  readonly timeout: number
  readonly runtimeId: string | null
  /** Workers that an administrator asked for, beyond what calls ask for. */
  readonly workers: number
}

export interface KeptFunction extends Running {
  readonly name: string | null
  readonly description: string | null
  readonly count: number
  /** The highest number that a version ever had: none is given twice. */
  readonly lastNumber: number
}

export interface KeptVersion extends Running {
  readonly functionId: string
  readonly number: number
  readonly description: string | null
  readonly count: number
}

export interface KeptAlias {
  readonly name: string
  readonly description: string | null
  readonly functionId: string
  readonly functionVersion: number
}

export interface KeptWebhook {
  readonly functionId: string | null
  readonly functionAlias: string | null
  readonly functionVersion: number | null
  readonly description: string | null
}

export const KINDS = {
  runtime: 'qinling.runtime',
  function: 'qinling.function',
  version: 'qinling.version',
  alias: 'qinling.alias',
  execution: 'qinling.execution',
  job: 'qinling.job',
  webhook: 'qinling.webhook',
} as const
type Kind = (typeof KINDS)[keyof typeof KINDS]

/** Things that nothing of the platform counts. */
const OF_A_PROJECT_MAX: Partial<Record<Kind, number>> = {
  [KINDS.alias]: 1_000,
  [KINDS.job]: 1_000,
  [KINDS.webhook]: 1_000,
}
const LISTED_MAX = 10_000
const PAGE = 1_000

/** Qinling's nouns as they are kept. */
export class Kept {
  readonly records: DialectRecords

  constructor(records: DialectRecords) {
    this.records = records
  }

  /** 403 when the project has as many as it may. */
  async add<T>(
    kind: Kind,
    record: { readonly projectId: string; readonly parent?: string; readonly key?: string; readonly body: T },
  ): Promise<DialectRecord<T>> {
    const { projectId } = record
    const most = OF_A_PROJECT_MAX[kind]
    if (most !== undefined && (await this.records.count(kind, { projectId })) >= most)
      throw new QinlingError(403, `A project has at most ${most} of them: delete some first.`)
    return this.records.insert({ id: randomUUID(), kind, ...record })
  }

  /** One that the caller may see, or 404: another project's is there for admins alone. */
  async own<T>(caller: Caller, kind: Kind, what: string, id: string): Promise<DialectRecord<T>> {
    const found = await this.records.get<T>(kind, id)
    if (found && (found.projectId === caller.projectId || caller.seesAll)) return found
    throw missing(what, 'id', id)
  }

  /** A runtime of the caller's project, or a public one. */
  async runtime(caller: Caller, id: string): Promise<DialectRecord<KeptRuntime>> {
    const found = await this.records.get<KeptRuntime>(KINDS.runtime, id)
    if (found && (found.projectId === caller.projectId || found.body.isPublic)) return found
    throw missing('Runtime', 'id', id)
  }

  function(caller: Caller, id: string): Promise<DialectRecord<KeptFunction>> {
    return this.own<KeptFunction>(caller, KINDS.function, 'Function', id)
  }

  /** One of the caller's own project, also for admins. */
  async ownFunction(caller: Caller, id: string): Promise<DialectRecord<KeptFunction>> {
    const found = await this.records.get<KeptFunction>(KINDS.function, id)
    if (found?.projectId === caller.projectId) return found
    throw missing('Function', 'id', id)
  }

  async version(functionId: string, number: number): Promise<DialectRecord<KeptVersion>> {
    const found = await this.records.byKey<KeptVersion>(KINDS.version, versionKey(functionId, number))
    if (found) return found
    throw new QinlingError(
      404,
      `FunctionVersion not found [function_id=${functionId}, version_number=${number}]`,
    )
  }

  /** By number. */
  async versions(functionId: string): Promise<readonly DialectRecord<KeptVersion>[]> {
    const found = await this.all<KeptVersion>(KINDS.version, { parent: functionId })
    return found.toSorted((a, b) => a.body.number - b.body.number)
  }

  /** Of the caller's project; for admins, where that has none, any project's. */
  async alias(caller: Caller, name: string): Promise<DialectRecord<KeptAlias>> {
    const found = await this.records.byKey<KeptAlias>(KINDS.alias, aliasKey(caller.projectId, name))
    if (found) return found
    const other = caller.seesAll
      ? (await this.all<KeptAlias>(KINDS.alias, {})).find(each => each.body.name === name)
      : undefined
    if (other) return other
    throw missing('FunctionAlias', 'name', name)
  }

  /** All of a kind, oldest first. */
  async all<T>(
    kind: Kind,
    filter: { readonly projectId?: string; readonly parent?: string },
  ): Promise<readonly DialectRecord<T>[]> {
    const found: DialectRecord<T>[] = []
    for await (const each of this.each<T>(kind, filter)) if (found.push(each) >= LISTED_MAX) break
    return found
  }

  /** All of a kind, however many there are, oldest first. */
  async *each<T>(
    kind: Kind,
    filter: { readonly projectId?: string; readonly parent?: string },
  ): AsyncGenerator<DialectRecord<T>> {
    for (let after: DialectRecord<T> | undefined; ; ) {
      const page = await this.records.list<T>(kind, { ...filter, ...(after && { after }), limit: PAGE })
      yield* page
      after = page.at(-1)
      if (page.length < PAGE) return
    }
  }

  /** What a list shows, by its query: the caller's own, or with `all_projects` or `project_id` those of others, for admins. */
  async listed<T>(
    caller: Caller,
    kind: Kind,
    query: Readonly<Record<string, string>>,
  ): Promise<readonly DialectRecord<T>[]> {
    const found: DialectRecord<T>[] = []
    for await (const each of this.eachListed<T>(caller, kind, query)) found.push(each)
    return found
  }

  /** The same, one by one: for what may be large. */
  async *eachListed<T>(
    caller: Caller,
    kind: Kind,
    query: Readonly<Record<string, string>>,
  ): AsyncGenerator<DialectRecord<T>> {
    const wantsAll = isTrue(query['all_projects'])
    if (wantsAll && !caller.isAdmin) throw new QinlingError(403, 'Operation not allowed')
    const seesOthers = caller.seesAll && (wantsAll || query['project_id'] !== undefined)
    const found = this.each<T>(kind, seesOthers ? {} : { projectId: caller.projectId })
    let left = LISTED_MAX
    for await (const each of found) {
      if (seesOthers && !matches(query['project_id'], each.projectId)) continue
      yield each
      if (--left === 0) return
    }
  }

  /** As it is now; 404 when it is gone. */
  async change<T>(kind: Kind, record: DialectRecord<T>, change: (body: T) => T): Promise<DialectRecord<T>> {
    try {
      return await this.records.update<T>(kind, record.id, change)
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'NOT_FOUND')
        throw new QinlingError(404, `It was deleted meanwhile [id=${record.id}]`)
      throw error
    }
  }
}

export function versionKey(functionId: string, number: number): string {
  return `${functionId} ${number}`
}

export function aliasKey(projectId: string, name: string): string {
  return `${projectId} ${name}`
}

export function missing(what: string, by: string, value: string): QinlingError {
  return new QinlingError(404, `${what} not found [${by}=${shown(value)}]`)
}
