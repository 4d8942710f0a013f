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
  const lost = new Set<LeasedCall>()
  await Promise.all(
    outcomes.map(async ({ leased, row }) => {
      const changed = await context.sql.change(
        tx,
        `update async_calls set state = ?, attempts = ?, failures = ?, due_at = ?, ended_at = ?, kept_until = ?,
           owner = null, http_status = ?, result_bytes = ?, failure_json = ?
         where id = ? and owner = ? and state = 'running'`,
        [
          row.state,
          row.attempts,
          row.failures,
          row.due_at,
          row.ended_at,
          row.kept_until,
          row.http_status,
          row.result_bytes,
          row.failure_json,
          row.id,
          context.node,
        ],
      )
      if (changed === 0) lost.add(leased)
    }),
  )
  // Whoever is accepted behind one that ends here must be in its place before the next in order is chosen.
  await accepting
  await settleEnded(
    context,
    tx,
    outcomes.filter(({ leased, row }) => row.ended_at !== null && !lost.has(leased)),
  )
  return lost
}
