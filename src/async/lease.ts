import type { Transaction } from 'kysely'
import type { EventTables } from '../store/index.ts'
import type { AsyncContext } from './context.ts'
import { type EndedCall, endWaiting } from './ends.ts'
import type { Lane } from './lanes.ts'
import { type CallRow, optionsOf } from './rows.ts'
import type { LeasedCall } from './turn.ts'

type Tx = Transaction<EventTables>

export interface LaneLeases {
  readonly lane: Lane
  readonly leased: readonly LeasedCall[]
  readonly ended: readonly EndedCall[]
  readonly nextDueAt: number
}

const LEASED_AT_ONCE_MAX = 1_000

/** Takes what is due, oldest first, as much as there is room for. */
export async function leaseDue(context: AsyncContext, tx: Tx, lane: Lane, room: number): Promise<LaneLeases> {
  const { sql, time, node, store, lanes, limits } = context
  const dueNow = time.dueNow()
  const limit = Math.min(room, LEASED_AT_ONCE_MAX)
  lane.isPromoted = false
  const { rows: due } = await sql.run<CallRow>(
    tx,
    `select * from async_calls where state = 'queued' and function_id = ? and due_at <= ? order by due_at limit ?` +
      (store.dialect === 'sqlite' ? '' : ' for update skip locked'),
    [lane.functionId, dueNow, limit],
  )
  const { fit, ...ends } = sift(context, due, limits.leasedBytesMax - lanes.leasedBytes)
  const [ended, , payloads, next] = await Promise.all([
    endAll(context, tx, ends),
    // Not by state: that has an index, and SQLite would walk through all that wait instead of looking up these.
    sql.forIds(
      tx,
      `update async_calls set state = 'running', owner = ?, started_at = ? where owner is null and id in [ids]`,
      [node, time.now()],
      fit.map(({ id }) => id),
    ),
    sql.forIds<{ id: string; head_json: string; body: Uint8Array | null }>(
      tx,
      'select id, head_json, body from async_payloads where id in [ids]',
      [],
      fit.map(({ id }) => id),
    ),
    due.length === limit
      ? undefined
      : sql.run<{ due_at: number | null }>(
          tx,
          `select min(due_at) as due_at from async_calls where state = 'queued' and function_id = ? and due_at > ?`,
          [lane.functionId, dueNow],
        ),
  ])
  const payloadOf = new Map(payloads.rows.map(each => [each.id, each]))
  const leased = fit.map((row): LeasedCall => {
    const payload = payloadOf.get(row.id)!
    return {
      lane,
      row: { ...row, state: 'running', owner: node, started_at: time.now() },
      head: JSON.parse(payload.head_json) as string[],
      body: payload.body,
    }
  })
  const more = due.length === limit || fit.length + ended.length < due.length
  return {
    lane,
    leased,
    ended,
    nextDueAt: more ? dueNow : (next?.rows[0]?.due_at ?? Number.POSITIVE_INFINITY),
  }
}

/** Which of the calls that are due have grown too old, which take nodes down with them, and which fit into `bytes`. */
function sift(
  { time, lanes, limits }: AsyncContext,
  due: readonly CallRow[],
  bytes: number,
): Record<'cancelled' | 'old' | 'fatal' | 'fit', CallRow[]> {
  const ageNow = time.ageNow()
  const sifted = {
    cancelled: [] as CallRow[],
    old: [] as CallRow[],
    fatal: [] as CallRow[],
    fit: [] as CallRow[],
  }
  let left = bytes
  for (const row of due) {
    if (row.cancel_requested === 1) sifted.cancelled.push(row)
    else if (isTooOld(row, lanes.settingsOf(row.function_id).maxAgeMs, ageNow)) sifted.old.push(row)
    else if (row.recoveries > limits.recoveriesMax) sifted.fatal.push(row)
    else if (left > 0 || sifted.fit.length === 0) {
      sifted.fit.push(row)
      left -= row.body_bytes
    }
  }
  return sifted
}

/** Whether a call is past its maximum age; `maxAgeMs` is its function's. */
export function isTooOld(
  row: Pick<CallRow, 'first_due_at' | 'options_json'>,
  maxAgeMs: number,
  ageNow: number,
): boolean {
  return row.first_due_at + (optionsOf(row).maxAgeMs ?? maxAgeMs) <= ageNow
}

async function endAll(
  context: AsyncContext,
  tx: Tx,
  { cancelled, old, fatal }: Record<'cancelled' | 'old' | 'fatal', readonly CallRow[]>,
): Promise<readonly EndedCall[]> {
  const ended = await Promise.all([
    endWaiting(context, tx, cancelled, 'cancelled', undefined),
    endWaiting(context, tx, old, 'expired', undefined),
    endWaiting(context, tx, fatal, 'failed', {
      kind: 'crash',
      code: 'UNAVAILABLE',
      message: `The server was lost ${context.limits.recoveriesMax + 1} times while it ran this call.`,
    }),
  ])
  return ended.flat()
}
