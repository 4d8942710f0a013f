import { AtelierError } from '../core/index.ts'
import type { AsyncFilter } from './async.ts'
import type { AsyncContext } from './context.ts'
import { endWaiting, type Told, tellAll } from './ends.ts'
import { getCall, listRows } from './reads.ts'
import { type CallRow, keyHash, optionsOf, stateOf } from './rows.ts'
import type { Runner } from './runner.ts'

const CALLS_PER_STEP = 200 // changed in one transaction: others get their turn in between

const LIVE = ['queued'] as const
const DEAD = ['failed', 'expired'] as const
const OVER = ['succeeded', 'failed', 'expired', 'cancelled'] as const

/** Calls one call off. A running one is told to stop, here or by the node that has it. */
export async function cancelCall(
  context: AsyncContext,
  runner: Runner,
  projectId: string,
  id: string,
  tell: Told,
): Promise<'ended' | 'running here' | 'running elsewhere'> {
  const row = await getCall(context, projectId, id)
  if (row.ended_at !== null)
    throw new AtelierError('CONFLICT', `Call ${id} cannot be cancelled: it is ${row.state} already.`)
  if (await endNow(context, [row], tell)) return 'ended'
  // It has been leased, maybe a moment ago.
  const marked = await context.store.db
    .updateTable('async_calls')
    .set({ cancel_requested: 1 })
    .where('id', '=', id)
    .where('state', '=', 'running')
    .executeTakeFirstOrThrow()
  if (runner.cancel(id)) return 'running here'
  if (marked.numUpdatedRows > 0n) return 'running elsewhere'
  // An attempt has ended in between: with it the call, or it waits for the next one.
  await endNow(context, [await getCall(context, projectId, id)], tell)
  return 'ended'
}

export function cancelMatching(
  context: AsyncContext,
  projectId: string,
  filter: AsyncFilter,
  tell: Told,
): Promise<number> {
  return overPages(context, projectId, restricted(filter, LIVE), rows => endNow(context, rows, tell))
}

/** Queues dead letters again. */
export async function redriveMatching(
  context: AsyncContext,
  projectId: string,
  which: { readonly id: string } | AsyncFilter,
): Promise<number> {
  if (!('id' in which))
    return overPages(context, projectId, restricted(which, DEAD), rows => queueAgain(context, rows))
  const row = await getCall(context, projectId, which.id)
  if ((await queueAgain(context, [row])) === 1) return 1
  throw new AtelierError(
    'CONFLICT',
    `Call ${row.id} is ${stateOf(row.state)}: only calls that failed or expired are redriven.`,
  )
}

export function forgetMatching(
  context: AsyncContext,
  projectId: string,
  filter: AsyncFilter,
): Promise<number> {
  return overPages(context, projectId, restricted(filter, OVER), rows =>
    forgetCalls(
      context,
      rows.map(({ id }) => id),
    ),
  )
}

/** Forgets calls that have ended. Resolves with how many. */
export async function forgetCalls({ store, sql }: AsyncContext, ids: readonly string[]): Promise<number> {
  return store.transaction(async tx => {
    const { rows } = await sql.forIds<{ id: string }>(
      tx,
      'select id from async_calls where ended_at is not null and id in [ids]',
      [],
      ids,
    )
    const gone = rows.map(({ id }) => id)
    await Promise.all(
      ['async_calls', 'async_payloads', 'async_results'].map(table =>
        sql.forIds(tx, `delete from ${table} where id in [ids]`, [], gone),
      ),
    )
    return gone.length
  })
}

async function endNow(context: AsyncContext, rows: readonly CallRow[], tell: Told): Promise<number> {
  const ended = await context.store.transaction(tx => endWaiting(context, tx, rows, 'cancelled', undefined))
  tellAll(context, ended, tell)
  return ended.length
}

/** With fresh attempts and a fresh age, behind what waits with the same ordering key. */
async function queueAgain(context: AsyncContext, rows: readonly CallRow[]): Promise<number> {
  const { store, sql, time, lanes } = context
  const now = time.dueNow()
  const dead = rows.filter(({ state }) => state === 'failed' || state === 'expired')
  const queued = await store.transaction(async tx => {
    const done: CallRow[] = []
    // One after the other, oldest first: those with the same ordering key take their places in this order.
    for (const row of dead.toReversed()) {
      const hash = row.ordering_key === null ? undefined : keyHash(row.ordering_key)
      const last =
        hash === undefined
          ? undefined
          : (
              await sql.run<{ seq: number | null }>(
                tx,
                'select max(seq) as seq from async_order where function_id = ? and key_hash = ?',
                [row.function_id, hash],
              )
            ).rows[0]?.seq
      const isFirst = last === undefined || last === null
      const changed = await sql.change(
        tx,
        `update async_calls set state = ?, failures = 0, recoveries = 0, due_at = ?, first_due_at = ?, started_at = null,
           ended_at = null, kept_until = null, cancel_requested = 0, http_status = 0, result_bytes = 0
         where id = ? and state in ('failed', 'expired')`,
        [isFirst ? 'queued' : 'blocked', now, now, row.id],
      )
      if (changed === 0) continue
      if (hash !== undefined)
        await sql.insert(
          tx,
          'async_order',
          ['call_id', 'function_id', 'key_hash', 'seq'],
          [[row.id, row.function_id, hash, Math.max((last ?? 0) + 1, now)]],
        )
      done.push(row)
    }
    await sql.forIds(
      tx,
      'delete from async_results where id in [ids]',
      [],
      done.map(({ id }) => id),
    )
    return done
  })
  for (const row of queued) {
    const lane = lanes.of(row.function_id, row.project_id)
    lanes.add(lane, 1, row.body_bytes)
    lane.nextDueAt = Math.min(lane.nextDueAt, now)
    if (optionsOf(row).reservable) lane.mayBeReserved = true
  }
  return queued.length
}

/** `filter` within `states`; when it names others only, nothing matches. */
function restricted(filter: AsyncFilter, states: NonNullable<AsyncFilter['states']>): AsyncFilter {
  return { ...filter, states: filter.states ? states.filter(each => filter.states!.includes(each)) : states }
}

async function overPages(
  context: AsyncContext,
  projectId: string,
  filter: AsyncFilter,
  change: (rows: readonly CallRow[]) => Promise<number>,
): Promise<number> {
  if (filter.states?.length === 0) return 0
  let count = 0
  for (let cursor: string | undefined; ; ) {
    const page: Awaited<ReturnType<typeof listRows>> = await listRows(context, projectId, filter, {
      limit: CALLS_PER_STEP,
      ...(cursor !== undefined && { cursor }),
    })
    if (page.rows.length > 0) count += await change(page.rows)
    if (page.next === undefined) return count
    cursor = page.next
  }
}
