import type { Clock } from '../core/index.ts'
import type { EventStore } from '../store/index.ts'
import { topicOf } from './rows.ts'
import type { Topic } from './topics.ts'

const EVERY_MS = 10_000
/** Messages that one transaction forgets: it must not keep others waiting. */
const BATCH = 500

/** Forgets what retention allows no longer, in small steps. */
export class Pruner {
  readonly #store: EventStore
  readonly #clock: Clock
  readonly #onProblem: (message: string, cause: unknown) => void
  readonly #toLook = new Set<string>()
  #running: Promise<void> | undefined
  #isClosed = false
  #isFirst = true
  #cancel: () => void

  constructor(store: EventStore, clock: Clock, onProblem: (message: string, cause: unknown) => void) {
    this.#store = store
    this.#clock = clock
    this.#onProblem = onProblem
    this.#cancel = clock.after(EVERY_MS, () => this.#tick())
  }

  /** Something may be too much in this topic at the next turn; or it is gone, and its messages should be. */
  look(topicId: string): void {
    this.#toLook.add(topicId)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#running
  }

  #tick(): void {
    if (this.#isClosed) return
    this.#running ??= this.#all()
      .catch((error: unknown) => this.#onProblem('old messages of topics could not be removed', error))
      .finally(() => {
        this.#running = undefined
        if (!this.#isClosed) this.#cancel = this.#clock.after(EVERY_MS, () => this.#tick())
      })
  }

  async #all(): Promise<void> {
    const rows = await this.#store.db.selectFrom('topics').select('id').execute()
    // A server that ended too early knew of topics whose messages were still to go.
    if (this.#isFirst) for await (const id of this.#topicsWithMessages()) this.#toLook.add(id)
    this.#isFirst = false
    const ids = new Set([...rows.map(each => each.id), ...this.#toLook])
    this.#toLook.clear()
    for (const id of ids) while (!this.#isClosed && (await this.#step(id))) continue
  }

  /** Steps through the index from topic to topic, past their messages. */
  async *#topicsWithMessages(): AsyncGenerator<string> {
    for (let last = ''; !this.#isClosed; ) {
      const row = await this.#store.db
        .selectFrom('topic_messages')
        .select('topic_id')
        .where('topic_id', '>', last)
        .orderBy('topic_id')
        .limit(1)
        .executeTakeFirst()
      if (!row) return
      last = row.topic_id
      yield last
    }
  }

  /** True when there may be more. */
  async #step(topicId: string): Promise<boolean> {
    const { db } = this.#store
    const row = await db.selectFrom('topics').selectAll().where('id', '=', topicId).executeTakeFirst()
    const oldest = await db
      .selectFrom('topic_messages')
      .select(['position', 'bytes', 'published_at'])
      .where('topic_id', '=', topicId)
      .orderBy('position')
      .limit(BATCH)
      .execute()
    const kept = oldest.map(each => ({
      position: each.position,
      bytes: each.bytes,
      publishedAt: each.published_at,
    }))
    const count = row ? countExpired(topicOf(row), row.bytes, kept, this.#clock.now()) : kept.length
    if (count === 0) return false
    const last = kept[count - 1]!.position
    await this.#store.transaction(
      async tx => {
        // Other nodes look, too: the first one takes them away and off the sum, and whoever waits for its row finds that done.
        const taken = await tx
          .updateTable('topics')
          .set({ first_position: last + 1 })
          .where('id', '=', topicId)
          .where('first_position', '<=', last)
          .executeTakeFirstOrThrow()
        if (row && taken.numUpdatedRows === 0n) return
        const messages = tx
          .selectFrom('topic_messages')
          .where('topic_id', '=', topicId)
          .where('position', '<=', last)
        const { bytes } = await messages
          .select(eb => eb.fn.sum<number | string>('bytes').as('bytes'))
          .executeTakeFirstOrThrow()
        await tx
          .deleteFrom('topic_messages')
          .where('topic_id', '=', topicId)
          .where('position', '<=', last)
          .execute()
        await tx
          .updateTable('topics')
          .set(eb => ({ bytes: eb('bytes', '-', Number(bytes ?? 0)) }))
          .where('id', '=', topicId)
          .execute()
      },
      { relaxed: true },
    )
    return count === BATCH
  }
}

interface Kept {
  readonly position: number
  readonly bytes: number
  readonly publishedAt: number
}

/** How many of the oldest messages retention allows no longer. `bytes`: of all that the topic keeps. */
export function countExpired(topic: Topic, bytes: number, oldest: readonly Kept[], now: number): number {
  const { ageMs, messagesMax, bytesMax } = topic.retention
  let left = bytes
  let count = 0
  for (const each of oldest) {
    const isMany = topic.lastPosition - each.position >= messagesMax
    if (!isMany && left <= bytesMax && now - each.publishedAt <= ageMs) break
    left -= each.bytes
    count++
  }
  return count
}
