import type { FunctionTable } from '../core/index.ts'
import type { EventStore } from '../store/index.ts'
import type { EventClock } from './event-clock.ts'
import type { Lanes } from './lanes.ts'
import type { AsyncLimits } from './options.ts'
import type { RawSql } from './sql.ts'

/** What all parts of the queue share. */
export interface AsyncContext {
  readonly store: EventStore
  readonly sql: RawSql
  readonly table: FunctionTable
  readonly time: EventClock
  readonly lanes: Lanes
  readonly limits: AsyncLimits
  readonly isShared: boolean
  /** This process among the nodes; leases carry it. */
  readonly node: string
  readonly onProblem: (message: string, cause?: unknown) => void
}
