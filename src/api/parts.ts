import type { AsyncCalls } from '../async/index.ts'
import type { Control } from '../control/index.ts'
import { AtelierError, type Clock, type FunctionTable, type IsolationTier } from '../core/index.ts'
import type { Environment } from '../environments/index.ts'
import type { IdentityProvider, Sessions, UserManagement } from '../identity/index.ts'
import type { IdentityApiParts } from '../identity-api/index.ts'
import type { Invoker } from '../invoker/index.ts'
import type { Nodes } from '../nodes/index.ts'
import type { Pool } from '../pool/index.ts'
import type { Store } from '../store/index.ts'
import type { TelemetryReader } from '../telemetry/index.ts'
import type { Topics } from '../topics/index.ts'
import type { Kinds, Triggers } from '../triggers/index.ts'
import type { ApiLog } from './log.ts'

/** Everything the API stands on; the composition root fills it. */
export interface ApiParts {
  readonly control: Control
  readonly identity: IdentityProvider
  /** Logging in; without it, tokens come from elsewhere. */
  readonly sessions?: Sessions
  /** Users and grants; without it, they are kept elsewhere. */
  readonly users?: UserManagement
  /** What speaks Keystone v3 under `/identity`; without it, nobody does. */
  readonly identityApi?: IdentityApiParts
  readonly telemetry: TelemetryReader
  /** Servers on the same database, and what this one alone knows, which they ask for. */
  readonly nodes?: Pick<Nodes, 'peers' | 'entries' | 'id'>
  readonly telemetryHere?: TelemetryReader
  readonly pool: Pick<Pool, 'instances' | 'kill'>
  readonly invoker: Invoker
  readonly async: AsyncCalls
  /** Where this API tells of an asynchronous call. */
  asyncUrl(id: string): string
  readonly table: FunctionTable
  readonly environments: readonly Environment[]
  /** The event triggers, running. */
  readonly triggers: Triggers
  readonly triggerKinds: Kinds
  readonly topics: Topics
  /** Keeps the answers to requests with an `Idempotency-Key`. */
  readonly store: Store
  /** What of its quotas a project uses by calls that run, began within a minute (where that is limited), and wait. */
  readonly callsInUse?: (projectId: string) => CallsInUse
  /** Asked for each `/v1/status`, `/readyz`; must be cheap. */
  readonly status: () => ServerStatus
  /** What `/metrics` answers. */
  readonly metrics: { readonly contentType: string; text: () => string }
  readonly log: ApiLog
  readonly clock: Clock
  readonly limits?: Partial<ApiLimits>
  /** Certificate and key, PEM. Without it: plain HTTP. */
  readonly encryption?: { readonly cert: string; readonly key: string } | undefined
}

/** What of a project's quotas its calls use now; bytes are those of calls that have not ended. */
export interface CallsInUse {
  readonly concurrency: number
  readonly callsPerMinute: number | undefined
  readonly queuedCalls: number
  readonly queuedBytes: number
}

/** What the server tells of itself; times are epoch ms. */
export interface ServerStatus {
  readonly version: string
  readonly startedAt: number
  /** Planes that this process runs. */
  readonly roles: readonly string[]
  readonly isolation: {
    readonly backend: string
    readonly tier: IsolationTier
    readonly notes: readonly string[]
  }
  /** Shown to operators only. */
  readonly dataPath: string
  /** Where functions answer, without a slash at the end. */
  readonly routerUrl: string
  /** Why calls cannot be served now, a sentence each; empty when they can. */
  readonly notReady: readonly string[]
}

/** What the API takes, and how many may follow. */
export interface ApiLimits {
  /** Largest JSON body. @default 1 MiB */
  readonly jsonBytesMax: number
  /** Largest package of a deploy, compressed. @default 250 MiB */
  readonly packageBytesMax: number
  /** Pause between blank lines that keep a followed log alive. @default 15 s */
  readonly heartbeatMs: number
  /** Followed logs at once. @default 200 */
  readonly followersMax: number
  /** … and of one project. @default 50 */
  readonly followersPerProjectMax: number
}

export const API_LIMITS_DEFAULT: ApiLimits = {
  jsonBytesMax: 1024 * 1024,
  packageBytesMax: 250 * 1024 * 1024,
  heartbeatMs: 15_000,
  followersMax: 200,
  followersPerProjectMax: 50,
}

/** A part of identity that not every provider has. Throws NOT_IMPLEMENTED that says who has it. */
export function kept<K extends 'sessions' | 'users'>(parts: ApiParts, which: K): NonNullable<ApiParts[K]> {
  const part = parts[which]
  if (part) return part
  throw new AtelierError(
    'NOT_IMPLEMENTED',
    `${which === 'users' ? 'Users and their roles are kept' : 'Logins are taken'} by the identity provider "${parts.identity.name}": ask there.`,
  )
}
