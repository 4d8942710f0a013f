import { type AddressInfo, createServer, type Server } from 'node:net'
import type { AtelierError, Clock } from '../../core/index.ts'
import { Drain } from '../drain.ts'
import type { Front, FrontOptions, Upgrade } from '../front.ts'
import type { RouterLimits } from '../limits.ts'
import { Flusher } from '../plane.ts'
import { ClientSocket } from './client-socket.ts'
import { Connection, type ConnectionHome } from './connection.ts'
import type { ThinExchange } from './exchange.ts'

/**
 * The front on `node:net` alone: a strict reader of heads and chunks, and answers written in one piece. It does what the
 * one on `node:http` does, without its objects and streams for each request.
 */
export function createThinFront(options: FrontOptions): Front {
  return new ThinFront(options)
}

class ThinFront implements Front, ConnectionHome {
  readonly limits: RouterLimits
  readonly clock: Clock
  readonly #options: FrontOptions
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #drain: Drain
  readonly flusher = new Flusher()
  readonly #sweepMs: number
  #busy = 0
  #cancelSweep: (() => void) | undefined

  constructor(options: FrontOptions) {
    this.#options = options
    const { limits, clock } = options
    this.limits = limits
    this.clock = clock
    this.#drain = new Drain(clock)
    const shortest = Math.min(
      limits.headTimeoutMs,
      limits.bodyStallMs,
      limits.writeStallMs,
      limits.keepAliveMs,
    )
    this.#sweepMs = Math.min(1_000, shortest / 4)
    this.#server = createServer(
      {
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: PROBE_AFTER_MS,
        pauseOnConnect: !options.encrypt,
      },
      accepted => {
        const carrier = options.encrypt ? accepted : (ClientSocket.adopt(accepted) ?? accepted.resume())
        this.#connections.add(new Connection(this, options.encrypt?.(accepted) ?? carrier, carrier))
        this.#cancelSweep ??= clock.after(this.#sweepMs, this.#sweep)
      },
    )
    this.#server.maxConnections = limits.connectionsMax
  }

  get connectionsOpen(): number {
    return this.#connections.size
  }

  get isDraining(): boolean {
    return this.#drain.isDraining
  }

  get listener(): Server {
    return this.#server
  }

  listen(port: number, host: string, fd?: number): Promise<{ port: number; host: string }> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      const listening = (): void => {
        this.#server.off('error', reject)
        const address = this.#server.address() as AddressInfo
        resolve({ port: address.port, host: address.address })
      }
      if (fd === undefined) this.#server.listen(port, host, BACKLOG, listening)
      else this.#server.listen({ fd }, BACKLOG, listening)
    })
  }

  async drain(graceMs: number): Promise<void> {
    this.#server.close()
    for (const connection of this.#connections) connection.closeAfter()
    if (this.#connections.size > 0) await this.#drain.begin(graceMs, this.#busy)
    await this.close()
  }

  close(): Promise<void> {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
    for (const { socket } of this.#connections) socket.destroy()
    return new Promise(resolve => this.#server.close(() => resolve()))
  }

  begin(exchange: ThinExchange): void {
    this.#options.handler.onExchange(exchange)
  }

  upgrade(upgrade: Upgrade): void {
    this.#options.handler.onUpgrade(upgrade)
  }

  refused(error: AtelierError): void {
    this.#options.handler.onRefused(error)
  }

  busy(change: 1 | -1): void {
    this.#busy += change
    if (this.#drain.isDraining) this.#drain.left(this.#busy)
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#drain.emptied()
  }

  readonly #sweep = (): void => {
    this.#cancelSweep = undefined
    const now = this.#options.clock.monotonic()
    for (const connection of this.#connections) connection.look(now)
    if (this.#connections.size > 0) this.#cancelSweep = this.#options.clock.after(this.#sweepMs, this.#sweep)
  }
}

const BACKLOG = 4_096 // connections that wait to be accepted; the kernel may allow fewer

// A client that vanished without a word would keep a silent stream open for ever.
const PROBE_AFTER_MS = 60_000
