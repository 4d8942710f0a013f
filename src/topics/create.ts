import { AtelierError, type Clock, checkName, type FunctionTable, newId, noSuch } from '../core/index.ts'
import type { EventStore } from '../store/index.ts'
import { GoneProjects } from './gone-projects.ts'
import { TOPIC_LIMITS_DEFAULT, type TopicLimits } from './limits.ts'
import { Pruner } from './pruner.ts'
import { Publisher } from './publisher.ts'
import { messageOf, type TopicRow, topicOf } from './rows.ts'
import type { Message, NewMessage, Topic, TopicRetention, Topics } from './topics.ts'

const RETENTION_DEFAULT: TopicRetention = {
  ageMs: 7 * 86_400_000,
  messagesMax: 1_000_000,
  bytesMax: 256 * 1024 * 1024,
}
const RETENTION_MOST: TopicRetention = {
  ageMs: 3_660 * 86_400_000,
  messagesMax: 100_000_000,
  bytesMax: 1024 ** 4,
}
const READ_BYTES_MAX = 8 * 1024 * 1024
const READ_MAX = 1_000
const PAGE_DEFAULT = 100
const PAGE_MAX = 1_000

/** What `createTopics` stands on. */
export interface TopicsOptions {
  readonly store: EventStore
  readonly clock: Clock
  readonly limits?: Partial<TopicLimits>
  readonly onProblem: (message: string, cause: unknown) => void
}

/** The topics of a server, with what their owner does. */
export interface StoredTopics extends Topics {
  /** From now on topics go with their project; those of projects that are gone go at once. The table must be loaded. */
  follow(table: Pick<FunctionTable, 'projects' | 'subscribe'>): void
  /** Ends the tidying up, and lets what is being published become durable. */
  close(): Promise<void>
}

/** Topics in the store; see `Topics`. */
export function createTopics(options: TopicsOptions): StoredTopics {
  return new TopicsInStore(options)
}

class TopicsInStore implements StoredTopics {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #limits: TopicLimits
  readonly #publisher: Publisher
  readonly #pruner: Pruner
  readonly #listeners = new Set<(topicId: string) => void>()
  readonly #onProblem: TopicsOptions['onProblem']
  #goneProjects: GoneProjects | undefined

  constructor({ store, clock, limits, onProblem }: TopicsOptions) {
    this.#onProblem = onProblem
    this.#store = store
    this.#clock = clock
    this.#limits = { ...TOPIC_LIMITS_DEFAULT, ...limits }
    this.#pruner = new Pruner(store, clock, onProblem)
    this.#publisher = new Publisher(store, clock, this.#limits, topicId => {
      this.#pruner.look(topicId)
      for (const listener of this.#listeners) listener(topicId)
    })
  }

  async create(
    projectId: string,
    { name, retention }: { name: string; retention?: Partial<TopicRetention> },
  ): Promise<Topic> {
    checkName(name, 'name')
    const kept = checkRetention({ ...RETENTION_DEFAULT, ...retention })
    const row: TopicRow = {
      id: newId(this.#clock.now()),
      project_id: projectId,
      name,
      age_ms: kept.ageMs,
      messages_max: kept.messagesMax,
      bytes_max: kept.bytesMax,
      first_position: 0,
      last_position: 0,
      bytes: 0,
      created_at: this.#clock.now(),
    }
    await this.#store.transaction(async tx => {
      const names = await tx
        .selectFrom('topics')
        .select('name')
        .where('project_id', '=', projectId)
        .limit(this.#limits.topicsMax)
        .execute()
      if (names.some(each => each.name === name))
        throw new AtelierError('CONFLICT', `There is a topic "${name}" already.`)
      if (names.length >= this.#limits.topicsMax)
        throw new AtelierError('QUOTA_EXCEEDED', `A project has at most ${this.#limits.topicsMax} topics.`)
      await tx.insertInto('topics').values(row).execute()
    })
    return topicOf(row)
  }

  async get(projectId: string, name: string): Promise<Topic> {
    return topicOf(await this.#row(projectId, name))
  }

  async list(projectId: string, { limit = PAGE_DEFAULT, cursor }: { limit?: number; cursor?: string }) {
    const count = Math.min(PAGE_MAX, Math.max(1, limit))
    let query = this.#store.db.selectFrom('topics').selectAll().where('project_id', '=', projectId)
    // The name where the page before ended: it is of this project's list, whatever is written there.
    if (cursor !== undefined) query = query.where('name', '>', Buffer.from(cursor, 'base64url').toString())
    const rows = await query
      .orderBy('name')
      .limit(count + 1)
      .execute()
    const items = rows.slice(0, count).map(topicOf)
    const last = items.at(-1)
    return rows.length > count && last
      ? { items, next: Buffer.from(last.name).toString('base64url') }
      : { items }
  }

  async update(
    projectId: string,
    name: string,
    { retention }: { retention: Partial<TopicRetention> },
  ): Promise<Topic> {
    const before = topicOf(await this.#row(projectId, name))
    const kept = checkRetention({ ...before.retention, ...retention })
    await this.#store.db
      .updateTable('topics')
      .set({ age_ms: kept.ageMs, messages_max: kept.messagesMax, bytes_max: kept.bytesMax })
      .where('id', '=', before.id)
      .execute()
    this.#pruner.look(before.id)
    return { ...before, retention: kept }
  }

  async delete(projectId: string, name: string): Promise<void> {
    const { id } = await this.#row(projectId, name)
    await this.#store.db.deleteFrom('topics').where('id', '=', id).execute()
    this.#pruner.look(id) // its messages go bit by bit
  }

  async publish(
    projectId: string,
    name: string,
    messages: readonly NewMessage[],
  ): Promise<readonly number[]> {
    const { id } = await this.#row(projectId, name)
    return this.#publisher.publish(projectId, { id, name }, messages)
  }

  async read(topicId: string, after: number, limit: number): Promise<readonly Message[]> {
    // How much fits is looked up first: so many messages of the largest size would fill the memory.
    const sizes = await this.#store.db
      .selectFrom('topic_messages')
      .select(['position', 'bytes'])
      .where('topic_id', '=', topicId)
      .where('position', '>', after)
      .orderBy('position')
      .limit(Math.min(READ_MAX, Math.max(1, limit)))
      .execute()
    let bytes = 0
    let last: number | undefined
    for (const row of sizes) {
      bytes += row.bytes
      if (last !== undefined && bytes > READ_BYTES_MAX) break
      last = row.position
    }
    if (last === undefined) return []
    const rows = await this.#store.db
      .selectFrom('topic_messages')
      .selectAll()
      .where('topic_id', '=', topicId)
      .where('position', '>', after)
      .where('position', '<=', last)
      .orderBy('position')
      .execute()
    return rows.map(messageOf)
  }

  async positionAt(topicId: string, at: number): Promise<number> {
    const first = await this.#store.db
      .selectFrom('topic_messages')
      .select('position')
      .where('topic_id', '=', topicId)
      .where('published_at', '>=', at)
      .orderBy('published_at')
      .orderBy('position')
      .limit(1)
      .executeTakeFirst()
    if (first) return first.position - 1
    const topic = await this.#store.db
      .selectFrom('topics')
      .select('last_position')
      .where('id', '=', topicId)
      .executeTakeFirst()
    return topic?.last_position ?? 0
  }

  onPublished(listener: (topicId: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  follow(table: Pick<FunctionTable, 'projects' | 'subscribe'>): void {
    this.#goneProjects = new GoneProjects({
      store: this.#store,
      clock: this.#clock,
      table,
      onDeleted: ids => {
        for (const id of ids) this.#pruner.look(id)
      },
      onProblem: this.#onProblem,
    })
  }

  async close(): Promise<void> {
    await this.#goneProjects?.close()
    await Promise.all([this.#pruner.close(), this.#publisher.close()])
  }

  async #row(projectId: string, name: string): Promise<TopicRow> {
    const row = await this.#store.db
      .selectFrom('topics')
      .selectAll()
      .where('project_id', '=', projectId)
      .where('name', '=', name)
      .executeTakeFirst()
    if (!row) throw noSuch('topic', name)
    return row
  }
}

function checkRetention(retention: TopicRetention): TopicRetention {
  const fields = Object.keys(RETENTION_MOST) as (keyof TopicRetention)[]
  const errors = fields.flatMap(field => {
    const value = retention[field]
    const isRight = Number.isInteger(value) && value >= 1 && value <= RETENTION_MOST[field]
    return isRight
      ? []
      : [
          {
            pointer: `retention.${field}`,
            detail: `must be a whole number from 1 to ${RETENTION_MOST[field]}`,
          },
        ]
  })
  const [first] = errors
  if (first) throw new AtelierError('INVALID_INPUT', `${first.pointer} ${first.detail}.`, { errors })
  const { ageMs, messagesMax, bytesMax } = retention
  return { ageMs, messagesMax, bytesMax }
}
