import type { Clock, FunctionTable } from '../core/index.ts'
import type { CallTokens } from '../identity/index.ts'
import type { Pool } from '../pool/index.ts'
import type { CallObserver } from './call.ts'
import type { DeadlineWheel } from './deadlines.ts'
import type { Projects } from './projects.ts'
import type { Vigil } from './vigil.ts'

/** What `createInvoker` stands on. */
export interface InvokerOptions {
  readonly table: FunctionTable
  readonly pool: Pool
  /** Where records go: one for each call, at its end. Refusals past 50 per second and project leave none. */
  readonly observer: CallObserver
  readonly clock: Clock
  /** In [0, 1); chooses among the targets of a weighted alias. @default Math.random */
  readonly random?: () => number
  /** How long a cancelled call may hold its slot before its instance is killed. @default 5 seconds */
  readonly cancelGraceMs?: number
  /** A WebSocket without a message for so long is ended. @default 5 minutes */
  readonly webSocketIdleMs?: number
  /** How long the reason of a crash is waited for. @default 500 ms */
  readonly exitReasonMs?: number
  /** Tokens for functions that ask for one. @default none: such functions cannot be called */
  readonly tokens?: CallTokens | undefined
  /** How many processors server and instances share. With more than one, a lone call may keep the thread awake. @default 1 */
  readonly processors?: number
}

/** What all calls share. */
export interface CallContext extends Required<Omit<InvokerOptions, 'tokens'>> {
  readonly tokens: CallTokens | undefined
  readonly deadlines: DeadlineWheel
  readonly projects: Projects
  readonly vigil: Vigil
}
