import { createHash } from 'node:crypto'
import type { DialectRecord, DialectRecords } from '../../control/index.ts'
import { AtelierError, isName, newId, type Principal } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { Remembered } from '../engine/index.ts'
import { FnError } from './answers.ts'
import type { Annotations, Texts } from './rules.ts'

export interface KeptApp {
  readonly name: string
  readonly config: Texts
  readonly annotations: Annotations
  readonly syslogUrl: string
  readonly shape: string
  /** False until what it stands for was made: a crash leaves such records. */
  readonly isMade: boolean
}

export interface KeptFn {
  readonly name: string
  readonly appId: string
  readonly image: string
  readonly memory: number
  readonly timeout: number
  readonly idleTimeout: number
  readonly config: Texts
  readonly annotations: Annotations
  readonly isMade: boolean
}

export interface KeptTrigger {
  readonly name: string
  readonly appId: string
  readonly fnId: string
  readonly source: string
  readonly annotations: Annotations
  readonly isMade: boolean
}

export const KINDS = { app: 'fn.app', fn: 'fn.fn', trigger: 'fn.trigger' } as const
const LISTED_MAX = 10_000
const CLAIM_MS_MAX = 15 * 60_000
const OUR_NAME_MAX = 63

/** Fn's nouns as they are kept, found as fast as calls need it. */
export class Kept {
  readonly #parts: Pick<DialectParts, 'records' | 'clock'>
  readonly fns: Remembered<DialectRecord<KeptFn>>
  readonly apps: Remembered<DialectRecord<KeptApp>>
  /** By app name and source. */
  readonly triggers: Remembered<DialectRecord<KeptTrigger>>

  constructor(parts: Pick<DialectParts, 'records' | 'clock'>) {
    this.#parts = parts
    const { records, clock } = parts
    this.fns = new Remembered(clock, id => made(records.get<KeptFn>(KINDS.fn, id)))
    this.apps = new Remembered(clock, id => made(records.get<KeptApp>(KINDS.app, id)))
    this.triggers = new Remembered(clock, key => made(this.#triggerAt(key)))
  }

  get records(): DialectRecords {
    return this.#parts.records
  }

  /** 404 for another project's. */
  async app(by: Principal, id: string): Promise<DialectRecord<KeptApp>> {
    return own(by, await made(this.records.get<KeptApp>(KINDS.app, id)), 'App not found')
  }

  async fn(by: Principal, id: string): Promise<DialectRecord<KeptFn>> {
    return own(by, await made(this.records.get<KeptFn>(KINDS.fn, id)), 'Fn not found')
  }

  async trigger(by: Principal, id: string): Promise<DialectRecord<KeptTrigger>> {
    return own(by, await made(this.records.get<KeptTrigger>(KINDS.trigger, id)), 'Trigger not found')
  }

  /** Those of a project, or of a parent in it, by name. */
  async list<T extends { readonly name: string; readonly isMade: boolean }>(
    kind: string,
    filter: { readonly projectId: string; readonly parent?: string },
  ): Promise<readonly DialectRecord<T>[]> {
    const found = await this.records.list<T>(kind, { ...filter, limit: LISTED_MAX })
    return found.filter(each => each.body.isMade).sort((a, b) => (a.body.name < b.body.name ? -1 : 1))
  }

  /** Claims the key, makes what the record stands for, and keeps it; 409 with `taken` when the key is somebody's. */
  async add<T extends { readonly isMade: boolean }>(
    kind: string,
    record: { readonly projectId: string; readonly parent: string; readonly key: string; readonly body: T },
    taken: string,
    make: (id: string) => Promise<unknown>,
  ): Promise<DialectRecord<T>> {
    const { records } = this
    const now = this.#parts.clock.now()
    const before = await records.byKey<T>(kind, record.key)
    if (before && !before.body.isMade && now - before.createdAt > CLAIM_MS_MAX)
      await records.delete(kind, before.id)
    const id = newId(now).toUpperCase()
    try {
      await records.insert({ id, kind, ...record })
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'CONFLICT') throw new FnError(409, taken)
      throw error
    }
    try {
      await make(id)
      return await records.update<T>(kind, id, body => ({ ...body, isMade: true }))
    } catch (error) {
      await records.delete(kind, id)
      throw error
    }
  }

  async #triggerAt(key: string): Promise<DialectRecord<KeptTrigger> | undefined> {
    const space = key.indexOf(' ')
    const app = await this.records.byKey<KeptApp>(KINDS.app, key.slice(0, space))
    return app && this.records.byKey<KeptTrigger>(KINDS.trigger, triggerKey(app.id, key.slice(space + 1)))
  }
}

export function triggerKey(appId: string, source: string): string {
  return `${appId} http ${source}`
}

/** Our name of a thing of Fn, whose names are longer and wider; no two share one. */
export function ourName(name: string): string {
  if (isName(name) && !name.includes('.')) return name
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16)
  const slug = name.replaceAll(/[^A-Za-z0-9]+/g, '-').replaceAll(/^-|-$/g, '')
  return `${slug.slice(0, OUR_NAME_MAX - digest.length - 1) || 'fn'}.${digest}`
}

async function made<T extends { readonly isMade: boolean }>(
  found: Promise<DialectRecord<T> | undefined>,
): Promise<DialectRecord<T> | undefined> {
  const record = await found
  return record?.body.isMade ? record : undefined
}

function own<T>(by: Principal, found: DialectRecord<T> | undefined, missing: string): DialectRecord<T> {
  if (found?.projectId !== by.projectId) throw new FnError(404, missing)
  return found
}
