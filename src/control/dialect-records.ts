import { createHash } from 'node:crypto'
import type { Selectable } from 'kysely'
import { AtelierError, type Clock, noSuch } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'

/**
 * What a dialect must remember beside our own nouns: small documents, each of a kind. They hold no rights: whoever asks has checked
 * whose they are.
 */
export interface DialectRecords {
  /** Rejects with CONFLICT when the id, or the key in its kind, exists. */
  insert<T>(record: NewDialectRecord<T>): Promise<DialectRecord<T>>
  get<T>(kind: string, id: string): Promise<DialectRecord<T> | undefined>
  byKey<T>(kind: string, key: string): Promise<DialectRecord<T> | undefined>
  /** Oldest first; `after` is the last one of the page before. */
  list<T>(kind: string, filter: RecordFilter): Promise<readonly DialectRecord<T>[]>
  count(kind: string, filter: Pick<RecordFilter, 'projectId' | 'parent'>): Promise<number>
  /**
   * Writes what `change` makes of the body; run again when somebody else was faster, so it must do nothing else. NOT_FOUND when it is
   * gone.
   */
  update<T>(kind: string, id: string, change: (body: T) => T): Promise<DialectRecord<T>>
  /** Whether it was there. */
  delete(kind: string, id: string): Promise<boolean>
  /** Those that were made before, of one project or of all; resolves with how many went. */
  deleteOlder(kind: string, createdBefore: number, projectId?: string): Promise<number>
  /** When the project's newest but `count` was made; `undefined` when it has not more than these. */
  madeBefore(kind: string, projectId: string, count: number): Promise<number | undefined>
}

/** A document to keep. */
export interface NewDialectRecord<T> {
  readonly id: string
  /** `<dialect>.<noun>`. */
  readonly kind: string
  readonly projectId: string
  /** What it belongs to; to list by. @default none */
  readonly parent?: string
  /** Unique in its kind over all projects; put the project in where it is unique there. @default none */
  readonly key?: string
  readonly body: T
}

/** A document that is kept; times are epoch ms. */
export interface DialectRecord<T> extends Required<Omit<NewDialectRecord<T>, 'key'>> {
  readonly key?: string
  readonly createdAt: number
  /** As `createdAt` until the first update. */
  readonly updatedAt: number
}

/** What is not given does not matter. */
export interface RecordFilter {
  readonly projectId?: string
  readonly parent?: string
  readonly after?: Pick<DialectRecord<unknown>, 'id' | 'createdAt'>
  /** @default 1000 */
  readonly limit?: number
}

const LIST_DEFAULT = 1_000
const BODY_CHARACTERS_MAX = 60_000 // what a text column holds everywhere
const TRIES_MAX = 20

/** They are kept in the store, a row each. A body longer than 60,000 characters is INVALID_INPUT. */
export function createDialectRecords(store: Store, clock: Clock): DialectRecords {
  const { db } = store

  const ofKind = (kind: string) => db.selectFrom('dialect_records').selectAll().where('kind', '=', kind)

  return {
    async get<T>(kind: string, id: string) {
      const row = await ofKind(kind).where('id', '=', id).executeTakeFirst()
      return row && asRecord<T>(row)
    },

    async insert<T>(record: NewDialectRecord<T>) {
      const now = clock.now()
      const row = {
        id: record.id,
        kind: record.kind,
        project_id: record.projectId,
        parent: record.parent ?? '',
        key_hash: record.key === undefined ? null : hashOf(record.key),
        key_text: record.key ?? null,
        body_json: textOf(record.body),
        revision: 1,
        created_at: now,
        updated_at: now,
      }
      await store.transaction(tx => tx.insertInto('dialect_records').values(row).execute())
      return asRecord<T>(row)
    },

    async byKey<T>(kind: string, key: string) {
      const row = await ofKind(kind).where('key_hash', '=', hashOf(key)).executeTakeFirst()
      return row && asRecord<T>(row)
    },

    async list<T>(kind: string, { projectId, parent, after, limit = LIST_DEFAULT }: RecordFilter) {
      let query = ofKind(kind)
      if (projectId !== undefined) query = query.where('project_id', '=', projectId)
      if (parent !== undefined) query = query.where('parent', '=', parent)
      if (after)
        query = query.where(is =>
          is.or([
            is('created_at', '>', after.createdAt),
            is.and([is('created_at', '=', after.createdAt), is('id', '>', after.id)]),
          ]),
        )
      const rows = await query.orderBy('created_at').orderBy('id').limit(limit).execute()
      return rows.map(asRecord<T>)
    },

    async count(kind, { projectId, parent }) {
      let query = db
        .selectFrom('dialect_records')
        .select(is => is.fn.countAll().as('count'))
        .where('kind', '=', kind)
      if (projectId !== undefined) query = query.where('project_id', '=', projectId)
      if (parent !== undefined) query = query.where('parent', '=', parent)
      return Number((await query.executeTakeFirstOrThrow()).count)
    },

    async update<T>(kind: string, id: string, change: (body: T) => T) {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const before = await ofKind(kind).where('id', '=', id).executeTakeFirst()
        if (!before) throw noSuch(kind, id)
        const next = {
          body_json: textOf(change(JSON.parse(before.body_json) as T)),
          revision: before.revision + 1,
          updated_at: clock.now(),
        }
        const done = await db
          .updateTable('dialect_records')
          .set(next)
          .where('id', '=', id)
          .where('revision', '=', before.revision)
          .executeTakeFirst()
        if (Number(done.numUpdatedRows) === 1) return asRecord<T>({ ...before, ...next })
      }
      throw new AtelierError('UNAVAILABLE', `Too many change ${kind} "${id}" at once; try again.`)
    },

    async delete(kind, id) {
      const done = await db
        .deleteFrom('dialect_records')
        .where('kind', '=', kind)
        .where('id', '=', id)
        .executeTakeFirst()
      return Number(done.numDeletedRows) > 0
    },

    async deleteOlder(kind, createdBefore, projectId) {
      let query = db
        .deleteFrom('dialect_records')
        .where('kind', '=', kind)
        .where('created_at', '<', createdBefore)
      if (projectId !== undefined) query = query.where('project_id', '=', projectId)
      return Number((await query.executeTakeFirst()).numDeletedRows)
    },

    async madeBefore(kind, projectId, count) {
      const row = await db
        .selectFrom('dialect_records')
        .select('created_at')
        .where('kind', '=', kind)
        .where('project_id', '=', projectId)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .offset(count)
        .limit(1)
        .executeTakeFirst()
      return row?.created_at
    },
  }
}

function asRecord<T>(row: Selectable<Tables['dialect_records']>): DialectRecord<T> {
  return {
    id: row.id,
    kind: row.kind,
    projectId: row.project_id,
    parent: row.parent,
    ...(row.key_text !== null && { key: row.key_text }),
    body: JSON.parse(row.body_json) as T,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}

function textOf(body: unknown): string {
  const text = JSON.stringify(body)
  if (text.length > BODY_CHARACTERS_MAX)
    throw new AtelierError(
      'INVALID_INPUT',
      'What is to be kept of this is too long: 60,000 characters at most.',
    )
  return text
}
