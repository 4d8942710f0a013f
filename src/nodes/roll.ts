import type { Clock } from '../core/index.ts'
import type { Store } from '../store/index.ts'

/** A node that has not been heard of for so long is taken for dead. */
export const SILENCE_MS_MAX = 10_000
/** A node that could not say that it is alive for so long leads no more: before others take it for dead. */
export const LEAD_MS_MAX = 8_000
const LEASE = 'leader'

/** A node as the others know it. */
export interface NodeEntry {
  readonly id: string
  readonly url: string
  readonly version: string
  readonly startedAt: number
  readonly isLeader: boolean
}

/**
 * Who is there, and who leads. A node is alive while its `beat` grows, as others see on their own monotonic clocks: nobody's wall
 * clock matters. The lease of one that is not goes to whoever notices first.
 */
export class Roll {
  readonly #store: Store
  readonly #clock: Clock
  readonly #self: Omit<NodeEntry, 'isLeader'>
  /** Others: their beat, and since when it is that. */
  readonly #seen = new Map<string, { readonly beat: number; readonly since: number }>()
  #beat = 0
  #leadsUntil = Number.NEGATIVE_INFINITY
  #hasResigned = false
  entries: readonly NodeEntry[] = []

  constructor(store: Store, clock: Clock, self: Omit<NodeEntry, 'isLeader'>) {
    this.#store = store
    this.#clock = clock
    this.#self = self
  }

  get isLeader(): boolean {
    return this.#clock.monotonic() < this.#leadsUntil
  }

  /** A sign of life, and a look at the others. */
  async round(): Promise<void> {
    const begun = this.#clock.monotonic()
    await this.#beatOnce()
    const rows = await this.#store.db.selectFrom('nodes').selectAll().orderBy('id').execute()
    const now = this.#clock.monotonic()
    const alive = new Set([this.#self.id])
    for (const { id, beat } of rows) {
      const seen = this.#seen.get(id)
      if (id === this.#self.id) continue
      if (seen?.beat !== beat) this.#seen.set(id, { beat, since: now })
      if (now - this.#seen.get(id)!.since < SILENCE_MS_MAX) alive.add(id)
    }
    for (const id of this.#seen.keys()) if (!rows.some(row => row.id === id)) this.#seen.delete(id)
    const leader = await this.#leader(alive)
    const leads = leader === this.#self.id && !this.#hasResigned
    this.#leadsUntil = leads ? begun + LEAD_MS_MAX : Number.NEGATIVE_INFINITY
    const dead = rows.map(({ id }) => id).filter(id => !alive.has(id))
    if (this.isLeader && dead.length > 0)
      await this.#store.db.deleteFrom('nodes').where('id', 'in', dead).execute()
    this.entries = rows
      .filter(({ id }) => alive.has(id))
      .map(({ id, url, version, started_at }) => ({
        id,
        url,
        version,
        startedAt: started_at,
        isLeader: id === leader,
      }))
  }

  /** Leads no more: another may at once. */
  async resign(): Promise<void> {
    this.#hasResigned = true
    this.#leadsUntil = Number.NEGATIVE_INFINITY
    await this.#store.db.deleteFrom('leases').where('owner', '=', this.#self.id).execute()
  }

  /** Is there no more. */
  async leave(): Promise<void> {
    await this.resign()
    const { id } = this.#self
    await this.#store.db.deleteFrom('nodes').where('id', '=', id).execute()
  }

  async #beatOnce(): Promise<void> {
    const { id, url, version, startedAt } = this.#self
    const { numUpdatedRows } = await this.#store.db
      .updateTable('nodes')
      .set({ beat: ++this.#beat })
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows > 0n) return
    // New, or taken for dead by the others.
    await this.#store.db
      .insertInto('nodes')
      .values({ id, url, version, beat: this.#beat, started_at: startedAt })
      .execute()
  }

  /** Who leads now, after this node has taken what a dead one had. */
  async #leader(alive: ReadonlySet<string>): Promise<string | undefined> {
    const owner = await this.#owner()
    if (this.#hasResigned || (owner !== undefined && alive.has(owner))) return owner
    return this.#store.transaction(async tx => {
      const held = await tx.selectFrom('leases').select('owner').where('name', '=', LEASE).executeTakeFirst()
      // Somebody was faster.
      if (held && held.owner !== owner) return held.owner
      if (held)
        await tx.updateTable('leases').set({ owner: this.#self.id }).where('name', '=', LEASE).execute()
      else await tx.insertInto('leases').values({ name: LEASE, owner: this.#self.id }).execute()
      return this.#self.id
    })
  }

  async #owner(): Promise<string | undefined> {
    const row = await this.#store.db
      .selectFrom('leases')
      .select('owner')
      .where('name', '=', LEASE)
      .executeTakeFirst()
    return row?.owner
  }
}
