import type { Transaction } from 'kysely'
import { AtelierError, type Clock, newId } from '../core/index.ts'
import type { EventStore, EventTables } from '../store/index.ts'
import { checkMessages, sizeOf } from './check.ts'
import type { TopicLimits } from './limits.ts'
import type { MessageRow } from './rows.ts'
import type { NewMessage } from './topics.ts'

interface Unit {
  readonly projectId: string
  readonly topic: { readonly id: string; readonly name: string }
  readonly messages: readonly (NewMessage & { readonly id: string })[]
  readonly bytes: number
  resolve(positions: readonly number[]): void
  reject(error: unknown): void
}

const MESSAGES_PER_TURN_MAX = 2_000
const BYTES_PER_TURN_MAX = 32 * 1024 * 1024
const ROWS_PER_STATEMENT = 50

/**
 * Writes what is published. What comes while a transaction is under way goes into the next one, so that one wait for the
 * disk serves all who came meanwhile.
 */
export class Publisher {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #limits: TopicLimits
  readonly #onPublished: (topicId: string) => void
  #units: Unit[] = []
  #pending = 0
  #pendingBytes = 0
  #turning: Promise<void> | undefined
  #isClosed = false

  constructor(store: EventStore, clock: Clock, limits: TopicLimits, onPublished: (topicId: string) => void) {
    this.#store = store
    this.#clock = clock
    this.#limits = limits
    this.#onPublished = onPublished
  }

  /** Resolves with the positions when all of them are durable. */
  publish(
    projectId: string,
    topic: { readonly id: string; readonly name: string },
    given: readonly NewMessage[],
  ): Promise<readonly number[]> {
    if (this.#isClosed) return Promise.reject(new AtelierError('UNAVAILABLE', 'The server is stopping.'))
    checkMessages(given)
    if (given.length === 0) return Promise.resolve([])
    const messages = given.map(each => ({ ...each, id: each.id ?? newId(this.#clock.now()) }))
    const bytes = messages.reduce((sum, each) => sum + sizeOf(each), 0)
    const { pendingMax, pendingBytesMax } = this.#limits
    if (this.#pending + messages.length > pendingMax || this.#pendingBytes + bytes > pendingBytesMax)
      return Promise.reject(
        new AtelierError('TOO_MANY_REQUESTS', 'Too many messages wait to be written; try again.', {
          retryAfterS: 1,
        }),
      )
    this.#pending += messages.length
    this.#pendingBytes += bytes
    return new Promise((resolve, reject) => {
      this.#units.push({ projectId, topic, messages, bytes, resolve, reject })
      // What the same turn of the event loop still brings goes along.
      this.#turning ??= new Promise<void>(resume => setImmediate(resume)).then(() => this.#run())
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#turning
  }

  async #run(): Promise<void> {
    while (this.#units.length > 0) {
      const units = this.#take()
      try {
        const answers = await this.#store.transaction(tx => this.#write(tx, units))
        for (const [at, answer] of answers.entries())
          if (answer instanceof AtelierError) units[at]!.reject(answer)
          else units[at]!.resolve(answer)
        for (const topicId of new Set(units.map(each => each.topic.id))) this.#onPublished(topicId)
      } catch (error) {
        for (const unit of units) unit.reject(error)
      }
      for (const unit of units) {
        this.#pending -= unit.messages.length
        this.#pendingBytes -= unit.bytes
      }
    }
    this.#turning = undefined
  }

  #take(): Unit[] {
    let messages = 0
    let bytes = 0
    const count = this.#units.findIndex(unit => {
      messages += unit.messages.length
      bytes += unit.bytes
      return messages > MESSAGES_PER_TURN_MAX || bytes > BYTES_PER_TURN_MAX
    })
    return this.#units.splice(0, count < 0 ? this.#units.length : Math.max(1, count))
  }

  async #write(
    tx: Transaction<EventTables>,
    units: readonly Unit[],
  ): Promise<(readonly number[] | AtelierError)[]> {
    const room = await this.#room(tx, units)
    const topics = await topicsOf(tx, units)
    const known = await knownIds(tx, units)
    const rows: MessageRow[] = []
    const now = this.#clock.now()
    const answers = units.map(unit => {
      const topic = topics.get(unit.topic.id)
      if (!topic) return new AtelierError('NOT_FOUND', `There is no topic "${unit.topic.name}".`)
      const left = room.get(unit.projectId)! - unit.bytes
      if (left < 0)
        return new AtelierError(
          'STORAGE_FULL',
          `The topics of this project keep ${this.#limits.bytesMax} bytes, which is all they may: shorten their retention.`,
        )
      room.set(unit.projectId, left)
      const positions = unit.messages.map(message => {
        const key = `${topic.id} ${message.id}`
        const before = known.get(key)
        if (before !== undefined) return before
        const position = ++topic.last
        known.set(key, position)
        const row = rowOf(topic.id, position, message, now)
        topic.bytes += row.bytes
        rows.push(row)
        return position
      })
      return positions
    })
    for (let at = 0; at < rows.length; at += ROWS_PER_STATEMENT)
      await tx
        .insertInto('topic_messages')
        .values(rows.slice(at, at + ROWS_PER_STATEMENT))
        .execute()
    for (const topic of topics.values())
      if (topic.last > topic.lastBefore)
        await tx
          .updateTable('topics')
          .set(eb => ({
            last_position: topic.last,
            // As it is by now: another node may take old messages away meanwhile.
            first_position: eb
              .case()
              .when('first_position', '=', 0)
              .then(1)
              .else(eb.ref('first_position'))
              .end(),
            bytes: eb('bytes', '+', topic.bytes),
          }))
          .where('id', '=', topic.id)
          .execute()
    return answers
  }

  /** Bytes that each project may still keep. */
  async #room(tx: Transaction<EventTables>, units: readonly Unit[]): Promise<Map<string, number>> {
    const projects = [...new Set(units.map(each => each.projectId))]
    const sums = await tx
      .selectFrom('topics')
      .select(['project_id', eb => eb.fn.sum<number>('bytes').as('bytes')])
      .where('project_id', 'in', projects)
      .groupBy('project_id')
      .execute()
    const used = new Map(sums.map(each => [each.project_id, each.bytes]))
    return new Map(projects.map(id => [id, this.#limits.bytesMax - (used.get(id) ?? 0)]))
  }
}

async function topicsOf(tx: Transaction<EventTables>, units: readonly Unit[]) {
  const ids = [...new Set(units.map(each => each.topic.id))]
  const rows = await tx.selectFrom('topics').select(['id', 'last_position']).where('id', 'in', ids).execute()
  return new Map(
    rows.map(row => {
      const last = row.last_position
      return [row.id, { id: row.id, last, lastBefore: last, bytes: 0 }]
    }),
  )
}

/** Positions of messages that are there already, by topic and id. */
async function knownIds(tx: Transaction<EventTables>, units: readonly Unit[]): Promise<Map<string, number>> {
  const known = new Map<string, number>()
  const byTopic = Map.groupBy(units, unit => unit.topic.id)
  for (const [topicId, ofTopic] of byTopic) {
    const ids = ofTopic.flatMap(unit => unit.messages.map(message => message.id))
    for (let at = 0; at < ids.length; at += 500) {
      const rows = await tx
        .selectFrom('topic_messages')
        .select(['message_id', 'position'])
        .where('topic_id', '=', topicId)
        .where('message_id', 'in', ids.slice(at, at + 500))
        .execute()
      for (const row of rows) known.set(`${topicId} ${row.message_id}`, row.position)
    }
  }
  return known
}

function rowOf(
  topicId: string,
  position: number,
  message: NewMessage & { readonly id: string },
  now: number,
): MessageRow {
  return {
    topic_id: topicId,
    position,
    message_id: message.id,
    message_key: message.key ?? null,
    content_type: message.contentType,
    attributes_json: JSON.stringify(message.attributes),
    data: message.data,
    bytes: sizeOf(message),
    published_at: now,
  }
}
