import type { Transaction } from 'kysely'
import { type AsyncCall, AtelierError } from '../core/index.ts'
import type { EventTables } from '../store/index.ts'
import type { ReservedCall } from './async.ts'
import type { AsyncContext } from './context.ts'
import { endWaiting, type Told, tellAll } from './ends.ts'
import type { Lane } from './lanes.ts'
import { isTooOld } from './lease.ts'
import { getCall } from './reads.ts'
import { type CallRow, callOf, optionsOf, stateOf } from './rows.ts'

type Tx = Transaction<EventTables>

const LANES_LOOKED_AT_MAX = 256 // each is a look into the index
/** How many of a function's calls are looked at: most often the first one will do; who has many that are not for outside is looked at further. */
const CALLS_LOOKED_AT = [32, 2_000] as const

/**
 * See `AsyncCalls.reserve`. A reservation is a later due time and a mark in the call's own row: nothing else knows of it, so it ends by
 * itself, whatever becomes of this process. Transactions take turns on all nodes, so nobody leases or reserves what was read here.
 */
export async function reserveOldest(
  context: AsyncContext,
  projectId: string,
  forMs: number,
): Promise<ReservedCall | undefined> {
  const { store, sql, lanes, time } = context
  const lookedAt = lanes.reservable(projectId, time.dueNow(), LANES_LOOKED_AT_MAX)
  if (lookedAt.length === 0) return undefined
  const found = await store.transaction(async tx => {
    const heads = await Promise.all(lookedAt.map(lane => firstOf(context, tx, lane)))
    const oldest = heads.reduce((a, b) => (b && (!a || isBefore(b, a)) ? b : a), undefined)
    if (!oldest) return undefined
    const until = time.dueNow() + forMs
    const row = {
      ...oldest,
      due_at: until,
      options_json: JSON.stringify({ ...optionsOf(oldest), reservedUntil: until }),
    }
    const [, payloads] = await Promise.all([
      sql.run(tx, 'update async_calls set due_at = ?, options_json = ? where id = ?', [
        row.due_at,
        row.options_json,
        row.id,
      ]),
      sql.run<{ head_json: string; body: Uint8Array | null }>(
        tx,
        'select head_json, body from async_payloads where id = ?',
        [row.id],
      ),
    ])
    return { row, payload: payloads.rows[0]! }
  })
  if (!found) return undefined
  const { row, payload } = found
  const lane = lanes.of(row.function_id, row.project_id)
  lane.nextDueAt = Math.min(lane.nextDueAt, row.due_at)
  const [method, path, ...headers] = JSON.parse(payload.head_json) as [string, string, ...string[]]
  return { call: callOf(row), method, path, headers, body: payload.body }
}

/** See `AsyncCalls.takeReserved`. */
export async function takeReserved(
  context: AsyncContext,
  projectId: string,
  id: string,
  why: string,
  tell: Told,
): Promise<AsyncCall> {
  const { store, sql } = context
  const failure = { kind: 'platform', code: 'CANCELLED', message: why } as const
  const ended = await store.transaction(async tx => {
    const { rows } = await sql.run<CallRow>(tx, 'select * from async_calls where id = ? and project_id = ?', [
      id,
      projectId,
    ])
    const reserved = rows.filter(row => isReserved(context, row))
    return endWaiting(context, tx, reserved, 'cancelled', failure)
  })
  tellAll(context, ended, tell)
  if (ended[0]) return callOf(ended[0].row)
  const { state } = await getCall(context, projectId, id)
  throw new AtelierError('CONFLICT', `Call ${id} is not reserved, or no longer: it is ${stateOf(state)}.`)
}

/** The first call of a function that is due and may be given to somebody outside. */
async function firstOf(context: AsyncContext, tx: Tx, lane: Lane): Promise<CallRow | undefined> {
  const { sql, time } = context
  for (const limit of CALLS_LOOKED_AT) {
    const { rows } = await sql.run<CallRow>(
      tx,
      `select * from async_calls where state = 'queued' and function_id = ? and due_at <= ? order by due_at limit ?`,
      [lane.functionId, time.dueNow(), limit],
    )
    const found = rows.find(row => isForOutside(context, row))
    if (found || rows.length < limit) return found
  }
  return undefined
}

/** What a lease would end instead is left to it. */
function isForOutside({ time, lanes, limits }: AsyncContext, row: CallRow): boolean {
  return (
    optionsOf(row).reservable === true &&
    row.cancel_requested === 0 &&
    row.recoveries <= limits.recoveriesMax &&
    !isTooOld(row, lanes.settingsOf(row.function_id).maxAgeMs, time.ageNow())
  )
}

/** Whoever is due at another time than the mark says has been leased since. */
function isReserved({ time }: AsyncContext, row: CallRow): boolean {
  return row.state === 'queued' && row.due_at > time.dueNow() && optionsOf(row).reservedUntil === row.due_at
}

function isBefore(a: CallRow, b: CallRow): boolean {
  return a.due_at < b.due_at || (a.due_at === b.due_at && a.id < b.id)
}
