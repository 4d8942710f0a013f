import type { Transaction } from 'kysely'
import type { EventTables } from '../store/index.ts'
import type { AcceptedCall } from './async.ts'
import type { AsyncContext } from './context.ts'
import type { EndedCall } from './ends.ts'
import { insertCalls } from './insert.ts'
import type { Lane } from './lanes.ts'
import { leaseDue } from './lease.ts'
import { recordOutcomes } from './record.ts'
import type { CallRow } from './rows.ts'

type Tx = Transaction<EventTables>

/** A call on its way into the queue. */
export interface NewCall {
  readonly lane: Lane
  readonly row: CallRow
  readonly head: readonly string[]
  readonly body: Uint8Array | null
  readonly idempotency: { readonly hash: string; readonly windowMs: number } | undefined
}

/** A call whose lease this process holds, with all that an attempt needs. */
export interface LeasedCall {
  readonly lane: Lane
  readonly row: CallRow
  /** Method, path, then names and values of headers. */
  readonly head: readonly string[]
  readonly body: Uint8Array | null
}

/** What an attempt has made of a call: its row as it shall be. */
export interface Outcome extends EndedCall {
  readonly leased: LeasedCall
}

/** What one transaction is to do. */
export interface TurnWork {
  readonly accepts: readonly NewCall[]
  readonly outcomes: readonly Outcome[]
  readonly leases: readonly { readonly lane: Lane; readonly room: number }[]
}

/** What it has done, known to hold once it is committed. */
export interface TurnResult {
  /** For each call of `accepts`. */
  readonly accepted: readonly AcceptedCall[]
  readonly leased: readonly LeasedCall[]
  /** Calls that were ended instead of leased. */
  readonly ended: readonly EndedCall[]
  /** Leases that were somebody else's by then: what came out of them does not count. */
  readonly lost: ReadonlySet<LeasedCall>
  /** When each lane that was looked at may have something again. */
  readonly nextDueAt: ReadonlyMap<Lane, number>
}

/** Everything that waits for the disk, in one transaction: what is accepted, what has ended, and what is leased next. */
export async function runTurn(context: AsyncContext, tx: Tx, work: TurnWork): Promise<TurnResult> {
  const accepting = insertCalls(context, tx, work.accepts)
  const [accepted, lost, leases] = await Promise.all([
    accepting,
    recordOutcomes(context, tx, work.outcomes, accepting),
    Promise.all(work.leases.map(({ lane, room }) => leaseDue(context, tx, lane, room))),
  ])
  return {
    accepted,
    lost,
    leased: leases.flatMap(({ leased }) => leased),
    ended: leases.flatMap(({ ended }) => ended),
    nextDueAt: new Map(leases.map(({ lane, nextDueAt }) => [lane, nextDueAt])),
  }
}
