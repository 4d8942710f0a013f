import { timeOfId } from '../core/index.ts'
import type { AsyncContext } from './context.ts'
import type { Ledger } from './ledger.ts'
import type { Runner } from './runner.ts'

interface CountRow {
  readonly function_id: string
  readonly project_id: string
  readonly state: string
  readonly calls: number
  readonly bytes: number | null
  readonly due_at: number | null
  /** 1 when some of them are `reservable`. */
  readonly reservable: number
}

/**
 * Who holds leases. A node is alive while its `beat` grows, as others see on their own monotonic clocks: nobody's wall clock
 * matters. The calls of one that is not are queued again; should it come back, what it made of them does not count.
 */
export class Nodes {
  readonly #context: AsyncContext
  readonly #runner: Runner
  readonly #ledger: Ledger
  /** Other nodes: their beat, and since when it is that. */
  readonly #seen = new Map<string, { readonly beat: number; readonly since: number }>()
  #beat = 0
  recovered = 0

  constructor(context: AsyncContext, runner: Runner, ledger: Ledger) {
    this.#context = context
    this.#runner = runner
    this.#ledger = ledger
  }

  /** Announces this node, takes up what no other can still run, and learns what waits. */
  async open(): Promise<void> {
    const { store, node, isShared } = this.#context
    if (isShared) await store.db.insertInto('async_nodes').values({ id: node, beat: 0 }).execute()
    // Alone, every lease is that of a process which has ended.
    else await this.#takeOver(undefined)
    await this.#setBack()
    await this.#count()
  }

  /** A sign of life, and a look at the others. */
  async beat(): Promise<void> {
    const { store, node, isShared, time, limits } = this.#context
    const wanted = await store.db
      .selectFrom('async_calls')
      .select('id')
      .where('state', '=', 'running')
      .where('owner', '=', node)
      .where('cancel_requested', '=', 1)
      .execute()
    for (const { id } of wanted) this.#runner.cancel(id)
    if (!isShared) return
    const { numUpdatedRows } = await store.db
      .updateTable('async_nodes')
      .set({ beat: ++this.#beat })
      .where('id', '=', node)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) {
      // Others took this node for dead, and have its calls.
      this.#runner.abandon()
      await store.db.insertInto('async_nodes').values({ id: node, beat: this.#beat }).execute()
    }
    const now = time.monotonic()
    for (const [id, beat] of await this.#beats()) {
      if (id === node) continue
      const seen = this.#seen.get(id)
      if (seen?.beat !== beat) this.#seen.set(id, { beat, since: now })
      else if (now - seen.since >= limits.leaseMs) await this.#takeOver(id)
    }
    await this.#count()
    this.#ledger.kick()
  }

  /** Leaves; what could not be given back before is queued again. */
  async close(): Promise<void> {
    const { node, isShared } = this.#context
    if (isShared) await this.#takeOver(node)
  }

  /**
   * How far each node's beat has come. One that was taken for dead and came back to lease something, and was lost before it could announce
   * itself again, is known by its leases alone.
   */
  async #beats(): Promise<ReadonlyMap<string, number>> {
    const { db } = this.#context.store
    const [nodes, owners] = await Promise.all([
      db.selectFrom('async_nodes').selectAll().execute(),
      db.selectFrom('async_calls').select('owner').distinct().where('state', '=', 'running').execute(),
    ])
    const beats = new Map(owners.flatMap(({ owner }) => (owner === null ? [] : [[owner, NO_BEAT] as const])))
    for (const { id, beat } of nodes) beats.set(id, beat)
    return beats
  }

  /** Queues again what `owner` had, or, when it is `undefined`, what anybody had. */
  async #takeOver(owner: string | undefined): Promise<void> {
    const { store } = this.#context
    const taken = await store.transaction(async tx => {
      const { numUpdatedRows } = await tx
        .updateTable('async_calls')
        .set(({ eb, ref }) => ({
          state: 'queued' as const,
          owner: null,
          attempts: eb(ref('attempts'), '+', 1),
          recoveries: eb(ref('recoveries'), '+', 1),
        }))
        .where('state', '=', 'running')
        .$if(owner !== undefined, query => query.where('owner', '=', owner!))
        .executeTakeFirstOrThrow()
      if (owner !== undefined) await tx.deleteFrom('async_nodes').where('id', '=', owner).execute()
      return Number(numUpdatedRows)
    })
    if (owner !== undefined) this.#seen.delete(owner)
    this.recovered += taken
  }

  /** The clock went back while nobody looked: what was due by the old one is due by the new one. */
  async #setBack(): Promise<void> {
    const { store, time } = this.#context
    const newest = await store.db
      .selectFrom('async_calls')
      .select(({ fn }) => fn.max('id').as('id'))
      .executeTakeFirst()
    const aheadMs = newest?.id ? timeOfId(newest.id) - time.now() : 0
    if (aheadMs < AHEAD_MS_MIN) return
    await store.db
      .updateTable('async_calls')
      .set(({ eb, ref }) => ({
        due_at: eb(ref('due_at'), '-', aheadMs),
        first_due_at: eb(ref('first_due_at'), '-', aheadMs),
      }))
      .where('state', 'in', ['queued', 'blocked'])
      .execute()
  }

  async #count(): Promise<void> {
    const { store, lanes, time, isShared } = this.#context
    const { rows } = await store.transaction(
      tx =>
        this.#context.sql.run<CountRow>(
          tx,
          `select function_id, project_id, state, count(*) as calls, sum(body_bytes) as bytes, min(due_at) as due_at,
             max(case when options_json like '%"reservable":true%' then 1 else 0 end) as reservable
           from async_calls where state in ('queued', 'blocked', 'running') group by function_id, project_id, state`,
          [],
        ),
      { relaxed: true },
    )
    // A call that came here may end on another node, which does not tell.
    const bytesOf = new Map<string, number>()
    for (const { project_id, bytes } of rows)
      bytesOf.set(project_id, (bytesOf.get(project_id) ?? 0) + (bytes ?? 0))
    if (isShared) for (const lane of lanes.all.values()) lanes.add(lane, -lane.queued, 0)
    lanes.setBytes(bytesOf)
    for (const { function_id, project_id, state, calls, due_at, reservable } of rows) {
      if (state === 'running') continue
      const lane = lanes.of(function_id, project_id)
      lanes.add(lane, calls, 0)
      if (reservable === 1) lane.mayBeReserved = true
      if (state === 'queued') lane.nextDueAt = Math.min(lane.nextDueAt, due_at ?? time.dueNow())
    }
  }
}

const NO_BEAT: number = -1
const AHEAD_MS_MIN = 60_000
