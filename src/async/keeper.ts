import { forgetCalls } from './changes.ts'
import type { AsyncContext } from './context.ts'
import { endWaiting, type Told, tellAll } from './ends.ts'
import type { Lane } from './lanes.ts'
import { isTooOld } from './lease.ts'
import type { CallRow } from './rows.ts'

const EVERY_MS = 5_000
const CALLS_PER_STEP = 200
const MISSING_MS = 60_000 // another node may know a function a little earlier

interface Others {
  beat(): Promise<void>
  kick(): void
  readonly onEnded: Told
}

/** Looks after what no call brings about: what is old, what has nobody left, what others do. In small steps. */
export class Keeper {
  readonly #context: AsyncContext
  readonly #after: (ms: number, callback: () => void) => () => void
  readonly #others: Others
  #cancel = (): void => {}
  #isStopped = false
  #work: Promise<void> = Promise.resolve()

  constructor(
    context: AsyncContext,
    after: (ms: number, callback: () => void) => () => void,
    others: Others,
  ) {
    this.#context = context
    this.#after = after
    this.#others = others
  }

  start(): void {
    if (this.#isStopped) return
    this.#cancel = this.#after(EVERY_MS, () => {
      this.#then(async () => {
        await this.#round()
        this.start()
      })
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#cancel()
  }

  /** Resolves when nothing is under way. */
  closed(): Promise<void> {
    return this.#work
  }

  functionDeleted(lane: Lane): void {
    this.#then(() => this.#endDeleted(lane))
  }

  projectChanged(projectId: string): void {
    if (this.#context.table.projects.has(projectId)) return
    this.#then(() => this.#forgetProject(projectId))
  }

  #then(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => {
      if (!this.#isStopped)
        this.#context.onProblem('The queue of asynchronous calls could not be tidied up.', error)
    })
  }

  async #round(): Promise<void> {
    const steps = [
      () => this.#others.beat(),
      () => this.#forgetOld(),
      () => this.#forgetKeys(),
      () => this.#endStuck(),
      () => this.#unblock(),
    ]
    for (const step of steps)
      try {
        if (!this.#isStopped) await step()
      } catch (error) {
        if (!this.#isStopped)
          this.#context.onProblem('The queue of asynchronous calls could not be tidied up.', error)
      }
    this.#others.kick()
  }

  async #forgetOld(): Promise<void> {
    const { store, time } = this.#context
    for (let isMore = true; isMore && !this.#isStopped; ) {
      const rows = await store.db
        .selectFrom('async_calls')
        .select('id')
        .where('kept_until', '<=', time.ageNow())
        .orderBy('kept_until')
        .limit(CALLS_PER_STEP)
        .execute()
      if (rows.length > 0)
        await forgetCalls(
          this.#context,
          rows.map(({ id }) => id),
        )
      isMore = rows.length === CALLS_PER_STEP
    }
  }

  async #forgetKeys(): Promise<void> {
    const { store, time } = this.#context
    const rows = await store.db
      .selectFrom('async_keys')
      .select(['function_id', 'key_hash'])
      .where('expires_at', '<=', time.ageNow())
      .limit(CALLS_PER_STEP)
      .execute()
    if (rows.length === 0) return
    await store.transaction(tx =>
      Promise.all(
        rows.map(({ function_id, key_hash }) =>
          this.#context.sql.run(
            tx,
            'delete from async_keys where function_id = ? and key_hash = ? and expires_at <= ?',
            [function_id, key_hash, time.ageNow()],
          ),
        ),
      ),
    )
  }

  /** Calls of functions that do not move (paused, disabled, gone) grow old too. */
  async #endStuck(): Promise<void> {
    const { lanes, time } = this.#context
    for (const lane of lanes.all.values()) {
      if (lane.queued === 0) continue
      if (lanes.targetOf(lane)) lane.missingSince = undefined
      else {
        lane.missingSince ??= time.monotonic()
        if (time.monotonic() - lane.missingSince >= MISSING_MS) await this.#endDeleted(lane)
        continue
      }
      if (lanes.roomOf(lane) === 0) await this.#endOld(lane)
    }
  }

  async #endOld(lane: Lane): Promise<void> {
    const { store, lanes, time } = this.#context
    const { maxAgeMs } = lanes.settingsOf(lane.functionId)
    for (let isMore = true; isMore && !this.#isStopped; ) {
      const rows = await store.db
        .selectFrom('async_calls')
        .selectAll()
        .where('state', '=', 'queued')
        .where('function_id', '=', lane.functionId)
        .where('due_at', '<=', time.dueNow())
        .orderBy('due_at')
        .limit(CALLS_PER_STEP)
        .execute()
      const old = rows.filter(row => isTooOld(row, maxAgeMs, time.ageNow()))
      await this.#end(old, 'expired')
      isMore = old.length === CALLS_PER_STEP
    }
  }

  async #endDeleted(lane: Lane): Promise<void> {
    const { store, table, lanes } = this.#context
    while (lanes.all.has(lane.functionId) && !table.functions.has(lane.functionId) && !this.#isStopped) {
      const rows = await store.db
        .selectFrom('async_calls')
        .selectAll()
        .where('state', 'in', ['queued', 'blocked'])
        .where('function_id', '=', lane.functionId)
        .limit(CALLS_PER_STEP)
        .execute()
      if (rows.length === 0) return
      await this.#end(rows, 'failed')
    }
  }

  async #end(rows: readonly CallRow[], state: 'failed' | 'expired'): Promise<void> {
    const [first] = rows
    if (!first) return
    const deleted = {
      kind: 'error',
      code: 'NOT_FOUND',
      message: `Function "${first.app_name}/${first.function_name}" was deleted before the call could run.`,
    } as const
    const ended = await this.#context.store.transaction(tx =>
      endWaiting(this.#context, tx, rows, state, state === 'failed' ? deleted : undefined),
    )
    tellAll(this.#context, ended, this.#others.onEnded)
  }

  async #forgetProject(projectId: string): Promise<void> {
    const { store, lanes, table, sql } = this.#context
    for (let isMore = true; isMore && !table.projects.has(projectId) && !this.#isStopped; ) {
      const rows = await store.db
        .selectFrom('async_calls')
        .select(['id', 'function_id', 'state', 'body_bytes'])
        .where('project_id', '=', projectId)
        .limit(CALLS_PER_STEP)
        .execute()
      const ids = rows.map(({ id }) => id)
      await store.transaction(tx =>
        Promise.all([
          ...['async_calls', 'async_payloads', 'async_results'].map(name =>
            sql.forIds(tx, `delete from ${name} where id in [ids]`, [], ids),
          ),
          sql.forIds(tx, 'delete from async_order where call_id in [ids]', [], ids),
          tx.deleteFrom('async_outbox').where('project_id', '=', projectId).execute(),
        ]),
      )
      for (const { function_id, state, body_bytes } of rows) {
        if (state !== 'queued' && state !== 'blocked') continue
        const lane = lanes.of(function_id, projectId)
        lanes.add(lane, -1, -body_bytes)
        lanes.tidy(lane)
      }
      isMore = rows.length === CALLS_PER_STEP
    }
  }

  /** On databases with several writers, one may have queued behind a call that was ending at that moment. */
  async #unblock(): Promise<void> {
    const { store, isShared, lanes } = this.#context
    if (!isShared) return
    const rows = await store.db
      .selectFrom('async_calls as c')
      .innerJoin('async_order as o', 'o.call_id', 'c.id')
      .select(['c.id', 'c.function_id', 'c.project_id'])
      .where('c.state', '=', 'blocked')
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('async_order as earlier')
              .select('earlier.call_id')
              .whereRef('earlier.function_id', '=', 'o.function_id')
              .whereRef('earlier.key_hash', '=', 'o.key_hash')
              .whereRef('earlier.seq', '<', 'o.seq'),
          ),
        ),
      )
      .limit(CALLS_PER_STEP)
      .execute()
    for (const { id, function_id, project_id } of rows) {
      await store.db
        .updateTable('async_calls')
        .set({ state: 'queued' })
        .where('id', '=', id)
        .where('state', '=', 'blocked')
        .execute()
      lanes.of(function_id, project_id).isPromoted = true
    }
  }
}
