import type { InvokeHandle, InvokeRequest, Invoker, InvokeSink } from './call.ts'
import type { CallContext, InvokerOptions } from './context.ts'
import { DeadlineWheel } from './deadlines.ts'
import { OneCall } from './one-call.ts'
import { Projects } from './projects.ts'
import { Vigil } from './vigil.ts'

const DEADLINE_TICK_MS = 20 // how much later than its deadline a call may be stopped

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
