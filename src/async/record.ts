import type { Transaction } from 'kysely'
import type { EventTables } from '../store/index.ts'
import type { AsyncContext } from './context.ts'
import { settleEnded } from './ends.ts'
import type { LeasedCall, Outcome } from './turn.ts'

type Tx = Transaction<EventTables>

/** Writes down what attempts have made of their calls. Resolves with the leases that were somebody else's by then. */
export async function recordOutcomes(
  context: AsyncContext,
  tx: Tx,
  outcomes: readonly Outcome[],
  accepting: Promise<unknown>,
): Promise<ReadonlySet<LeasedCall>> {
  if (outcomes.length === 0) return new Set()
  stamp(outcomes, context.time.now())
  const lost = new Set<LeasedCall>()
  await Promise.all(alike(outcomes).map(group => recordAlike(context, tx, group, lost)))
  // Whoever is accepted behind one that ends here must be in its place before the next in order is chosen.
  await accepting
  await settleEnded(
    context,
    tx,
    outcomes.filter(({ leased, row }) => row.ended_at !== null && !lost.has(leased)),
  )
  return lost
}

/** All that are written down together have ended at the same time: so those that are alike in the rest are one statement. */
function stamp(outcomes: readonly Outcome[], now: number): void {
  for (const { row } of outcomes) {
    if (row.ended_at === null) continue
    row.kept_until! += now - row.ended_at
    row.ended_at = now
  }
}

const COLUMNS = [
  'state',
  'attempts',
  'failures',
  'ended_at',
  'kept_until',
  'http_status',
  'result_bytes',
  'failure_json',
] as const

/** When a call that has ended was due stays as it is. */
const COLUMNS_AGAIN = [...COLUMNS, 'due_at'] as const

interface Group {
  readonly columns: readonly string[]
  readonly values: readonly unknown[]
  readonly outcomes: Outcome[]
}

/** Outcomes with the same values: most calls of a busy function end like the one before. */
function alike(outcomes: readonly Outcome[]): readonly Group[] {
  const groups = new Map<string, Group>()
  for (const outcome of outcomes) {
    const columns = outcome.row.ended_at === null ? COLUMNS_AGAIN : COLUMNS
    const values = columns.map(column => outcome.row[column])
    const key = values.join('\n')
    const group = groups.get(key)
    if (group) group.outcomes.push(outcome)
    else groups.set(key, { columns, values, outcomes: [outcome] })
  }
  return [...groups.values()]
}

async function recordAlike(
  { sql, node }: AsyncContext,
  tx: Tx,
  { columns, values, outcomes }: Group,
  lost: Set<LeasedCall>,
): Promise<void> {
  const ids = outcomes.map(({ row }) => row.id)
  const sets = columns.map(column => `${column} = ?`).join()
  // Not by state: that has an index, and SQLite would walk through all that run instead of looking up these.
  const { changed } = await sql.forIds(
    tx,
    `update async_calls set ${sets}, owner = null where owner = ? and id in [ids]`,
    [...values, node],
    ids,
  )
  if (changed === ids.length) return
  const { rows } = await sql.forIds<{ id: string }>(
    tx,
    'select id from async_calls where state = ? and attempts = ? and failures = ? and owner is null and id in [ids]',
    values.slice(0, 3),
    ids,
  )
  const recorded = new Set(rows.map(({ id }) => id))
  for (const { leased, row } of outcomes) if (!recorded.has(row.id)) lost.add(leased)
}
