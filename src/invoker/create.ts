import type { Clock, FunctionTable } from '../core/index.ts'
import type { CallTokens } from '../identity/index.ts'
import type { Pool } from '../pool/index.ts'
import type { CallObserver, InvokeHandle, InvokeRequest, Invoker, InvokeSink } from './call.ts'
import { DeadlineWheel } from './deadlines.ts'
import { OneCall } from './one-call.ts'
import { Projects } from './projects.ts'
import { Vigil } from './vigil.ts'

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

const DEADLINE_TICK_MS = 20 // how much later than its deadline a call may be stopped

/** What all calls share. */
export interface CallContext extends Required<Omit<InvokerOptions, 'tokens'>> {
  readonly tokens: CallTokens | undefined
  readonly deadlines: DeadlineWheel
  readonly projects: Projects
  readonly vigil: Vigil
}

/** The one that a server runs, with what it tells of itself. */
export interface RunningInvoker extends Invoker {
  /** Calls admitted and not over, for metrics and draining. */
  readonly inHand: number
  /** Of one project: calls in hand, and those that began within a minute (where that is limited). */
  usage(projectId: string): { readonly inHand: number; readonly lastMinute: number | undefined }
}

/** The one way a function is called; see `Invoker`. The sink is never called before `invoke` has returned. */
export function createInvoker(options: InvokerOptions): RunningInvoker {
  const context: CallContext = {
    random: Math.random,
    cancelGraceMs: 5_000,
    webSocketIdleMs: 300_000,
    exitReasonMs: 500,
    processors: 1,
    tokens: undefined,
    ...options,
    deadlines: new DeadlineWheel(options.clock, DEADLINE_TICK_MS),
    projects: new Projects(),
    vigil: new Vigil(options.clock, options.processors ?? 1),
  }
  return {
    invoke(request: InvokeRequest, sink: InvokeSink): InvokeHandle {
      const call = new OneCall(context, request, sink)
      call.begin()
      return call
    },
    usage: projectId => context.projects.usage(projectId, options.clock.monotonic()),
    get inHand(): number {
      return context.projects.inHand
    },
  }
}
