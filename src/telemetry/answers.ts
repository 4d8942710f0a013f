import type { Invocation, LogLine } from '../core/index.ts'
import type { Mark } from './lane.ts'
import type { Retention } from './retention.ts'
import type { InvocationFilter, LogFilter, RecordPage, UsageRow } from './telemetry.ts'

/** Where and how far a question looks. */
interface Scope {
  readonly projectId: string
  /** Of records, or of logs where it is they that are asked for. */
  readonly mark: Mark
  /** What is older than this is no longer kept, though it may still be there. */
  readonly sinceMs: number
}

/** Questions and works, as they travel to the thread. */
export type Ask =
  | (Scope & { readonly kind: 'invocation'; readonly id: string })
  | (Scope & { readonly kind: 'attempts'; readonly id: string })
  | (Scope & {
      readonly kind: 'invocations'
      readonly filter: InvocationFilter
      readonly limit: number
      readonly cursor: string | undefined
    })
  | (Scope & { readonly kind: 'logs'; readonly filter: LogFilter; readonly limit: number })
  | (Scope & {
      readonly kind: 'usage'
      readonly functionId: string | undefined
      /** Days since the epoch: from, and up to but not. */
      readonly fromDay: number
      readonly toDay: number
    })
  | { readonly kind: 'tidy'; readonly retention: Retention; readonly nowMs: number }
  | { readonly kind: 'import'; readonly path: string; readonly sinceMs: number }

export interface Answers {
  readonly invocation: Invocation
  readonly attempts: readonly Invocation[]
  readonly invocations: RecordPage
  readonly logs: readonly LogLine[]
  readonly usage: readonly UsageRow[]
  readonly tidy: undefined
  readonly import: undefined
}

export type Question<K extends keyof Answers> = Ask & { readonly kind: K }
