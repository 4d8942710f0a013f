import { type AsyncCall, AtelierError, leastId } from '../core/index.ts'
import type { AsyncFilter, AsyncResult, QueueStatus } from './async.ts'
import type { AsyncContext } from './context.ts'
import { type CallRow, callOf, stateOf } from './rows.ts'

const PAGE_DEFAULT = 100
const PAGE_MAX = 1_000
const ROWS_SEARCHED_MAX = 20_000 // for one page: bounds how long a list holds up what is written

export async function getCall({ store }: AsyncContext, projectId: string, id: string): Promise<CallRow> {
  const row = await store.db
    .selectFrom('async_calls')
    .selectAll()
    .where('id', '=', id)
    .where('project_id', '=', projectId)
    .executeTakeFirst()
  if (row) return row
  throw new AtelierError(
    'NOT_FOUND',
    `There is no asynchronous call ${JSON.stringify(id.slice(0, 100))}, or it is no longer kept.`,
  )
}

export async function resultOf(context: AsyncContext, projectId: string, id: string): Promise<AsyncResult> {
  const row = await getCall(context, projectId, id)
  const result = await context.store.db
    .selectFrom('async_results')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (result)
    return {
      status: row.http_status,
      headers: JSON.parse(result.headers_json) as string[],
      body: result.body,
    }
  const why =
    row.ended_at === null
      ? `it is ${stateOf(row.state)}; wait for its end`
      : `it is ${row.state} and its function gave no answer`
  throw new AtelierError('CONFLICT', `Call ${id} has no result: ${why}.`)
}

/**
 * One page, newest first. Only the newest part is searched for each page: it may have fewer than were asked for, and
 * `next` all the same.
 */
export async function listCalls(
  context: AsyncContext,
  projectId: string,
  filter: AsyncFilter,
  page: { readonly limit?: number; readonly cursor?: string },
): Promise<{ readonly items: readonly AsyncCall[]; readonly next?: string }> {
  const { rows, next } = await listRows(context, projectId, filter, page)
  return { items: rows.map(callOf), ...(next !== undefined && { next }) }
}

export async function listRows(
  { store }: AsyncContext,
  projectId: string,
  filter: AsyncFilter,
  page: { readonly limit?: number; readonly cursor?: string },
): Promise<{ readonly rows: readonly CallRow[]; readonly next?: string }> {
  const limit = Math.max(1, Math.min(page.limit ?? PAGE_DEFAULT, PAGE_MAX))
  const before = page.cursor === undefined ? undefined : readCursor(page.cursor)
  const { functionId, acceptedSince, acceptedUntil } = filter
  const searched = store.db
    .selectFrom('async_calls')
    .selectAll()
    .where('project_id', '=', projectId)
    .$if(functionId !== undefined, query => query.where('function_id', '=', functionId!))
    .$if(before !== undefined, query => query.where('id', '<', before!))
    .$if(acceptedSince !== undefined, query => query.where('id', '>=', leastId(acceptedSince!)))
    .$if(acceptedUntil !== undefined, query => query.where('id', '<', leastId(acceptedUntil!)))
    .orderBy('id', 'desc')
    .limit(ROWS_SEARCHED_MAX)
    .as('searched')
  const { states, trigger, triggerName, orderingKey } = filter
  const rows = await store.db
    .selectFrom(searched)
    .selectAll()
    .$if(states !== undefined, query => query.where('state', 'in', internalStates(states!)))
    .$if(trigger !== undefined, query => query.where('trigger_kind', '=', trigger!))
    .$if(triggerName !== undefined, query => query.where('trigger_name', '=', triggerName!))
    .$if(orderingKey !== undefined, query => query.where('ordering_key', '=', orderingKey!))
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .execute()
  if (rows.length > limit) return { rows: rows.slice(0, limit), next: writeCursor(rows[limit - 1]!.id) }
  const oldest = await store.db
    .selectFrom(searched)
    .select(({ fn }) => [fn.min('id').as('id'), fn.countAll().as('count')])
    .executeTakeFirstOrThrow()
  return Number(oldest.count) < ROWS_SEARCHED_MAX ? { rows } : { rows, next: writeCursor(oldest.id) }
}

export async function queueOf(
  context: AsyncContext,
  projectId: string,
  functionId: string,
): Promise<QueueStatus> {
  const { store, time, lanes, isShared } = context
  // Asked once and not of each row: what follows is then read in the index alone.
  const some = await store.db
    .selectFrom('async_calls')
    .select('project_id')
    .where('function_id', '=', functionId)
    .limit(1)
    .executeTakeFirst()
  if (some?.project_id !== projectId) return { queued: 0, running: 0, delayed: 0, deadLetters: 0 }
  const dueNow = time.dueNow()
  const [dead, live, delayed, oldest] = await Promise.all([
    countOf(context, functionId, ['failed', 'expired']),
    // Alone, what waits is known in memory: a long queue is not counted each time that somebody looks.
    isShared ? countOf(context, functionId, ['queued', 'blocked', 'running']) : undefined,
    countOf(context, functionId, ['queued', 'blocked'], dueNow),
    store.db
      .selectFrom('async_calls')
      .select('due_at')
      .where('function_id', '=', functionId)
      .where('state', '=', 'queued')
      .where('due_at', '<=', dueNow)
      .orderBy('due_at')
      .limit(1)
      .executeTakeFirst(),
  ])
  const running = live ? (live.get('running') ?? 0) : (lanes.all.get(functionId)?.leased ?? 0)
  const queued = live ? sum(live) - running : (lanes.all.get(functionId)?.queued ?? 0)
  return {
    queued,
    running,
    delayed: sum(delayed),
    deadLetters: sum(dead),
    ...(oldest && { oldestDueAt: oldest.due_at }),
  }
}

/** How many calls of a function are in each of `states`; with `after`, those that are due later. */
async function countOf(
  { store }: AsyncContext,
  functionId: string,
  states: readonly CallRow['state'][],
  after?: number,
): Promise<ReadonlyMap<string, number>> {
  const rows = await store.db
    .selectFrom('async_calls')
    .select(({ fn }) => ['state', fn.countAll().as('count')])
    .where('function_id', '=', functionId)
    .where('state', 'in', states)
    .$if(after !== undefined, query => query.where('due_at', '>', after!))
    .groupBy('state')
    .execute()
  return new Map(rows.map(({ state, count }) => [state, Number(count)]))
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((all, count) => all + count, 0)
}

function internalStates(states: NonNullable<AsyncFilter['states']>): CallRow['state'][] {
  return states.includes('queued') ? [...states, 'blocked'] : [...states]
}

function writeCursor(id: string): string {
  return Buffer.from(id).toString('base64url')
}

function readCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString()
  if (/^[0-9a-z]{26}$/.test(id)) return id
  throw new AtelierError(
    'INVALID_INPUT',
    'The cursor is not one that this list gave out; start again without it.',
    { errors: [{ pointer: 'cursor', detail: 'is not a cursor of this list' }] },
  )
}
