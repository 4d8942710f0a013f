import type { Server as NetServer } from 'node:net'
import type { AsyncCalls } from '../async/index.ts'
import type { Clock, FunctionTable, TableChange } from '../core/index.ts'
import type { IdentityProvider } from '../identity/index.ts'
import type { Invoker } from '../invoker/index.ts'
import { Call } from './call.ts'
import type { CreateFront, Encrypt, Front } from './front.ts'
import { GatherBudget } from './gather-budget.ts'
import { SocketHost } from './handshake.ts'
import { HookCall, type HookReceiver, isPlatformTarget } from './hook-call.ts'
import { ROUTER_LIMITS_DEFAULT, type RouterLimits } from './limits.ts'
import { RouteIndex } from './match.ts'
import { type Counters, Flusher, type Plane, type RouterCounters, type RouterLog } from './plane.ts'
import { SocketCall } from './socket-call.ts'
import { createThinFront } from './thin/front.ts'

/** The data plane's door: requests come in, functions answer. */
export interface Router {
  /** Rejects with Node's own error (EADDRINUSE …) when the port cannot be had. `fd`: a socket that listens already. */
  listen(port: number, host: string, fd?: number): Promise<{ readonly port: number; readonly host: string }>
  /** What listens, for handing its socket on. */
  readonly listener: NetServer
  /** Takes nothing new, lets what runs finish for at most `graceMs`, then closes. WebSockets are told 1001. */
  drain(graceMs: number): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
  readonly counters: RouterCounters
}

export interface RouterOptions {
  readonly table: FunctionTable
  readonly invoker: Invoker
  /** Takes calls whose answer nobody waits for. */
  readonly async: Pick<AsyncCalls, 'accept'>
  /** Where the API tells of an asynchronous call. */
  asyncUrl(id: string): string
  readonly identity: Pick<IdentityProvider, 'authenticate' | 'cached'>
  /** Takes what comes to `/-/hooks/<token>`; without it nothing is there. */
  readonly hooks?: HookReceiver
  readonly log: RouterLog
  readonly clock: Clock
  readonly limits?: Partial<RouterLimits>
  /** Believe X-Forwarded-… and Forwarded: only where a proxy of ours stands in front. */
  readonly trustForwarded?: boolean
  /** Without it, connections are not encrypted. */
  readonly encrypt?: Encrypt | undefined
  /** What speaks HTTP to clients; `createNodeFront` is the other one. */
  readonly front?: CreateFront
}

/** The router, not yet listening. */
export function createRouter(options: RouterOptions): Router {
  return new LiveRouter(options)
}

class LiveRouter implements Router {
  readonly counters: Counters
  readonly #front: Front
  readonly #sockets: SocketHost
  readonly #unsubscribe: () => void

  constructor({
    table,
    invoker,
    async,
    asyncUrl,
    identity,
    hooks,
    log,
    clock,
    limits: overrides,
    trustForwarded = false,
    encrypt,
    front = createThinFront,
  }: RouterOptions) {
    const limits = { ...ROUTER_LIMITS_DEFAULT, ...overrides }
    const index = new RouteIndex()
    const sockets = new SocketHost(clock, limits)
    const counters = newCounters(() => this.#front.connectionsOpen)
    const flusher = new Flusher()
    const plane: Plane = {
      table,
      index,
      invoker,
      async,
      asyncUrl,
      identity,
      hooks,
      hookBudget: new GatherBudget(limits.hookBodiesBytesMax),
      log,
      limits,
      clock,
      trustForwarded,
      counters,
      flusher,
    }
    this.counters = counters
    this.#sockets = sockets
    this.#front = front({
      limits,
      clock,
      encrypt,
      handler: {
        onExchange: exchange =>
          (isPlatformTarget(exchange.target)
            ? new HookCall(plane, exchange)
            : new Call(plane, exchange)
          ).start(),
        onUpgrade: upgrade => new SocketCall(plane, sockets, upgrade).start(),
        onRefused: error => {
          if (error.fault === 'platform') log.error({ err: error.cause ?? error }, error.message)
          else counters.malformed++
          counters.answers[Math.floor(error.status / 100)]!++
        },
      },
    })
    const triggers = [...table.triggers.values()]
    applyChanges(
      index,
      triggers.map(value => ({ kind: 'trigger', id: value.id, value })),
      log,
    )
    this.#unsubscribe = table.subscribe(changes => applyChanges(index, changes, log))
  }

  listen(port: number, host: string, fd?: number): Promise<{ port: number; host: string }> {
    return this.#front.listen(port, host, fd)
  }

  get listener(): NetServer {
    return this.#front.listener
  }

  async drain(graceMs: number): Promise<void> {
    await Promise.all([this.#front.drain(graceMs), this.#sockets.drain(graceMs)])
    await this.close()
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    this.#sockets.close()
    await this.#front.close()
  }
}

/** Only what changed is touched, so that the ten-thousandth route costs what the first did. */
function applyChanges(index: RouteIndex, changes: readonly TableChange[], log: RouterLog): void {
  for (const change of changes) {
    if (change.kind !== 'trigger') continue
    try {
      if (change.value) index.set(change.value)
      else index.delete(change.id)
    } catch (error) {
      // The control plane checks paths; one bad row from elsewhere must not keep the other routes away.
      log.error(
        { trigger: change.id, err: error },
        'A trigger with a path that cannot be routed was left out.',
      )
    }
  }
}

function newCounters(connectionsOpen: () => number): Counters {
  return {
    get connectionsOpen() {
      return connectionsOpen()
    },
    requests: 0,
    requestsActive: 0,
    webSockets: 0,
    webSocketsOpen: 0,
    answers: [0, 0, 0, 0, 0, 0],
    malformed: 0,
    aborted: 0,
    brokenOff: 0,
  }
}
