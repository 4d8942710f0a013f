import type { Transaction } from 'kysely'
import type { Clock } from '../core/index.ts'
import type { Store, Tables } from '../store/index.ts'

const NOTES_KEPT_MAX = 10_000 // a node that is further behind reads everything
const READ_MAX = 1_000

/** What a commit has changed, by ids. */
export interface Note {
  readonly functions?: readonly string[]
  readonly triggers?: readonly string[]
  readonly eventTriggers?: readonly string[]
  readonly projects?: readonly string[]
  /** Who may do what: what was checked before does not count any more. */
  readonly rights?: boolean
}

/** What other nodes have changed since it was asked before; `missed`: something that nobody knows any more. */
export interface News {
  readonly notes: readonly Note[]
  readonly missed: boolean
}

/**
 * What nodes that share a database tell each other of their commits. Transactions take turns, so numbers are given in the order
 * in which they are committed: who has seen one has seen all before it.
 */
export class Feed {
  readonly #store: Store
  readonly #node: string
  readonly #clock: Clock
  #seen = 0

  constructor(store: Store, node: string, clock: Clock) {
    this.#store = store
    this.#node = node
    this.#clock = clock
  }

  /** What is changed from now on is news; to be called before everything is read. */
  async begin(): Promise<void> {
    this.#seen = await newest(this.#store.db)
  }

  /** Tells the others, when this transaction commits. */
  async tell(tx: Transaction<Tables>, note: Note): Promise<void> {
    const number = (await newest(tx)) + 1
    await tx
      .insertInto('publications')
      .values({ number, node: this.#node, note_json: JSON.stringify(note), created_at: this.#clock.now() })
      .execute()
    if (number % 100 === 0)
      await tx
        .deleteFrom('publications')
        .where('number', '<=', number - NOTES_KEPT_MAX)
        .execute()
  }

  async news(): Promise<News> {
    const rows = await this.#store.db
      .selectFrom('publications')
      .select(['number', 'node', 'note_json'])
      .where('number', '>', this.#seen)
      .orderBy('number')
      .limit(READ_MAX)
      .execute()
    const [first] = rows
    if (!first) return { notes: [], missed: false }
    const missed = first.number > this.#seen + 1
    this.#seen = rows.at(-1)!.number
    const notes = rows.filter(row => row.node !== this.#node).map(row => JSON.parse(row.note_json) as Note)
    return { notes, missed }
  }
}

async function newest(db: Store['db'] | Transaction<Tables>): Promise<number> {
  const row = await db
    .selectFrom('publications')
    .select(select => select.fn.max<number | string | null>('number').as('number'))
    .executeTakeFirst()
  return Number(row?.number ?? 0)
}
