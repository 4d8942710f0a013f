import type { Transaction } from 'kysely'
import { eventsOfCall, toStructured } from '../cloudevents/index.ts'
import { type AsyncState, type Destination, newId } from '../core/index.ts'
import type { EventTables } from '../store/index.ts'
import type { AsyncResult } from './async.ts'
import type { AsyncContext } from './context.ts'
import type { Failure } from './retry.ts'
import { type CallRow, callOf, keyHash, optionsOf } from './rows.ts'

const EVENT_RESULT_BYTES_MAX = 1024 * 1024 // a longer answer is left out of the event; it can be fetched
const EVENTS_MAX = 100 // of one answer: each is a delivery of its own
const DELIVERY_AGE_MS = 24 * 3_600_000 // an outcome that nobody has taken by then is given up

type Tx = Transaction<EventTables>

/** A call that has just ended: its row as it is now. */
export interface EndedCall {
  readonly row: CallRow
  readonly result?: AsyncResult | undefined
}

/** The row of a call that ends now. */
export function endedRow(
  { time, lanes }: AsyncContext,
  row: CallRow,
  state: Exclude<AsyncState, 'queued' | 'running'>,
  failure: Failure | undefined,
): CallRow {
  const now = time.now()
  return {
    ...row,
    state,
    owner: null,
    ended_at: now,
    kept_until: now + lanes.settingsOf(row.function_id).resultKeptMs,
    failure_json: failure ? failureJson(failure) : row.failure_json,
  }
}

const MESSAGE_CHARACTERS_MAX = 1_024

export function failureJson({ kind, code, message }: Failure): string {
  return JSON.stringify({ kind, code, message: message.slice(0, MESSAGE_CHARACTERS_MAX) })
}

/** Ends calls that wait; those that do no longer are left alone. Resolves with those it ended. */
export async function endWaiting(
  context: AsyncContext,
  tx: Tx,
  rows: readonly CallRow[],
  state: 'failed' | 'expired' | 'cancelled',
  failure: Failure | undefined,
): Promise<readonly EndedCall[]> {
  const tried = await Promise.all(
    rows.map(async row => {
      const ended = endedRow(context, row, state, failure)
      const changed = await context.sql.change(
        tx,
        `update async_calls set state = ?, ended_at = ?, kept_until = ?, failure_json = ?
         where id = ? and state in ('queued', 'blocked')`,
        [state, ended.ended_at, ended.kept_until, ended.failure_json, row.id],
      )
      return changed === 1 ? [{ row: ended }] : []
    }),
  )
  const ended = tried.flat()
  await settleEnded(context, tx, ended)
  return ended
}

export type Told = (ended: EndedCall) => void

/** Counts calls no longer that waited and have ended, and tells of them. */
export function tellAll({ lanes }: AsyncContext, ended: readonly EndedCall[], tell: Told): void {
  for (const each of ended) {
    const lane = lanes.of(each.row.function_id, each.row.project_id)
    lanes.add(lane, -1, -each.row.body_bytes)
    lanes.tidy(lane)
    tell(each)
  }
}

/** What goes with the end of calls, in the same transaction: payloads, results, events on their way, whose turn comes next. */
export async function settleEnded(context: AsyncContext, tx: Tx, ended: readonly EndedCall[]): Promise<void> {
  if (ended.length === 0) return
  const { sql } = context
  // What may be redriven keeps what it was called with.
  const done = ended.filter(({ row }) => row.state === 'succeeded' || row.state === 'cancelled')
  const results = ended.flatMap(({ row, result }) =>
    result ? [[row.id, JSON.stringify(result.headers), result.body]] : [],
  )
  const events = ended.flatMap(each => outboxRows(context, each))
  await Promise.all([
    sql.forIds(
      tx,
      'delete from async_payloads where id in [ids]',
      [],
      done.map(({ row }) => row.id),
    ),
    sql.insert(tx, 'async_results', ['id', 'headers_json', 'body'], results),
    sql.insert(tx, 'async_outbox', OUTBOX_COLUMNS, events),
    nextInOrder(
      context,
      tx,
      ended.map(({ row }) => row),
    ),
  ])
}

const OUTBOX_COLUMNS = [
  'id',
  'project_id',
  'target_json',
  'event',
  'hops',
  'attempts',
  'due_at',
  'expires_at',
]

function outboxRows(context: AsyncContext, { row, result }: EndedCall): unknown[][] {
  const options = optionsOf(row)
  const target = destinationOf(context, row)
  if (!target) return []
  const small =
    result && (result.body.length <= EVENT_RESULT_BYTES_MAX ? result : { ...result, body: NOTHING })
  const now = context.time.now()
  const events = eventsOfCall(callOf(row), small)
  if (events.length > EVENTS_MAX)
    context.onProblem(
      `Call ${row.id} answered with ${events.length} events; its destination gets the first ${EVENTS_MAX}.`,
    )
  return events
    .slice(0, EVENTS_MAX)
    .map(event => [
      newId(now),
      row.project_id,
      JSON.stringify(target),
      toStructured(event).body,
      (options.hops ?? 0) + 1,
      0,
      now,
      now + DELIVERY_AGE_MS,
    ])
}

const NOTHING = new Uint8Array(0)

/** Where the outcome of a call goes; `undefined` for nowhere. */
export function destinationOf({ lanes }: AsyncContext, row: CallRow): Destination | undefined {
  if (row.state === 'cancelled') return undefined
  const which = row.state === 'succeeded' ? 'onSuccess' : 'onFailure'
  const own = optionsOf(row)[which]
  return own === null ? undefined : (own ?? lanes.settingsOf(row.function_id)[which])
}

/** Lets those go on that waited behind these. */
async function nextInOrder(context: AsyncContext, tx: Tx, rows: readonly CallRow[]): Promise<void> {
  const { sql, lanes } = context
  const keyed = rows.filter(row => row.ordering_key !== null)
  if (keyed.length === 0) return
  await sql.forIds(
    tx,
    'delete from async_order where call_id in [ids]',
    [],
    keyed.map(({ id }) => id),
  )
  const keys = new Map(keyed.map(row => [`${row.function_id} ${row.ordering_key}`, row]))
  await Promise.all(
    [...keys.values()].map(async ({ function_id, project_id, ordering_key }) => {
      const { rows: heads } = await sql.run<{ call_id: string }>(
        tx,
        'select call_id from async_order where function_id = ? and key_hash = ? order by seq limit 1',
        [function_id, keyHash(ordering_key!)],
      )
      for (const { call_id } of heads)
        await sql.change(tx, `update async_calls set state = 'queued' where id = ? and state = 'blocked'`, [
          call_id,
        ])
      if (heads.length > 0) lanes.of(function_id, project_id).isPromoted = true
    }),
  )
}
