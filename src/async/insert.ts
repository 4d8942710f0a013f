import type { Transaction } from 'kysely'
import type { EventTables } from '../store/index.ts'
import type { AcceptedCall } from './async.ts'
import type { AsyncContext } from './context.ts'
import { type CallRow, keyHash } from './rows.ts'
import type { NewCall } from './turn.ts'

type Tx = Transaction<EventTables>

/** Writes calls down; resolves with the id of each, which is an earlier call's for a key that was used before. */
export async function insertCalls(
  context: AsyncContext,
  tx: Tx,
  calls: readonly NewCall[],
): Promise<readonly AcceptedCall[]> {
  if (calls.length === 0) return []
  const { sql } = context
  const accepted = calls.map(({ row }) => ({ id: row.id, duplicate: false }))
  if (calls.some(({ idempotency }) => idempotency)) await findDuplicates(context, tx, calls, accepted)
  const fresh = calls.filter((_, index) => !accepted[index]!.duplicate)
  const rows = fresh.some(({ row }) => row.ordering_key !== null)
    ? await inOrder(context, tx, fresh)
    : fresh.map(({ row }) => row)
  await Promise.all([
    sql.insert(
      tx,
      'async_calls',
      CALL_COLUMNS,
      rows.map(row => CALL_COLUMNS.map(column => row[column])),
    ),
    sql.insert(
      tx,
      'async_payloads',
      ['id', 'head_json', 'body'],
      fresh.map(({ row, head, body }) => [row.id, JSON.stringify(head), body]),
    ),
  ])
  return accepted
}

const CALL_COLUMNS = [
  'id',
  'project_id',
  'function_id',
  'app_name',
  'function_name',
  'qualifier',
  'trigger_kind',
  'trigger_name',
  'state',
  'accepted_at',
  'first_due_at',
  'due_at',
  'started_at',
  'ordering_key',
  'owner',
  'body_bytes',
  'options_json',
] as const

/** Notes in `accepted` which calls were accepted before, and the keys of those that were not. */
async function findDuplicates(
  { sql, time }: AsyncContext,
  tx: Tx,
  calls: readonly NewCall[],
  accepted: { id: string; duplicate: boolean }[],
): Promise<void> {
  const now = time.now()
  const keys = new Map<string, NewCall>()
  for (const call of calls)
    if (call.idempotency) keys.set(`${call.row.function_id} ${call.idempotency.hash}`, call)
  const known = new Map<string, string>()
  await Promise.all(
    [...keys].map(async ([key, { row, idempotency }]) => {
      const found = await sql.run<{ call_id: string; expires_at: number }>(
        tx,
        'select call_id, expires_at from async_keys where function_id = ? and key_hash = ?',
        [row.function_id, idempotency!.hash],
      )
      const [first] = found.rows
      if (!first) return
      if (first.expires_at > now) known.set(key, first.call_id)
      else
        await sql.run(tx, 'delete from async_keys where function_id = ? and key_hash = ?', [
          row.function_id,
          idempotency!.hash,
        ])
    }),
  )
  const noted: unknown[][] = []
  for (const [index, { row, idempotency }] of calls.entries()) {
    if (!idempotency) continue
    const key = `${row.function_id} ${idempotency.hash}`
    const first = known.get(key)
    if (first !== undefined) accepted[index] = { id: first, duplicate: true }
    else {
      known.set(key, row.id)
      noted.push([row.function_id, idempotency.hash, row.id, now + idempotency.windowMs])
    }
  }
  await sql.insert(tx, 'async_keys', ['function_id', 'key_hash', 'call_id', 'expires_at'], noted)
}

/** Gives calls with an ordering key their places; those that must wait for an earlier one are `blocked`. */
async function inOrder({ sql, time }: AsyncContext, tx: Tx, calls: readonly NewCall[]): Promise<CallRow[]> {
  const last = new Map<string, number>()
  const keyed = calls.filter(({ row }) => row.ordering_key !== null)
  const keyOf = ({ row }: NewCall): string => `${row.function_id} ${keyHash(row.ordering_key!)}`
  const keys = new Map(keyed.map(call => [keyOf(call), call]))
  await Promise.all(
    [...keys].map(async ([key, { row }]) => {
      const { rows } = await sql.run<{ seq: number | null }>(
        tx,
        'select max(seq) as seq from async_order where function_id = ? and key_hash = ?',
        [row.function_id, keyHash(row.ordering_key!)],
      )
      const seq = rows[0]?.seq
      if (seq !== null && seq !== undefined) last.set(key, seq)
    }),
  )
  const places: unknown[][] = []
  const rows = calls.map(call => {
    if (call.row.ordering_key === null) return call.row
    const key = keyOf(call)
    const before = last.get(key)
    const seq = Math.max((before ?? 0) + 1, time.now())
    last.set(key, seq)
    places.push([call.row.id, call.row.function_id, keyHash(call.row.ordering_key), seq])
    return before === undefined ? call.row : { ...call.row, state: 'blocked' as const }
  })
  await sql.insert(tx, 'async_order', ['call_id', 'function_id', 'key_hash', 'seq'], places)
  return rows
}
