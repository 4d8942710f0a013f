import { closeSync } from 'node:fs'
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http'
import type { Server as HttpsServer } from 'node:https'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { CertificatePair } from './certificate.ts'
import { checkFree, type ListenAt, listen } from './listen.ts'

/** A socket that listens, opened by who started this process. */
export interface Inherited {
  readonly fd: number
  /** Where a predecessor listened; `undefined` when systemd decides that. */
  readonly port: number | undefined
}

/** What a door needs to open: the setting that chooses its port, and how its server listens. */
export interface DoorPlan {
  /** `api`, `router`, or a dialect's. */
  readonly name: string
  readonly setting: string
  readonly port: number
  readonly host: string
  readonly open: (at: ListenAt) => Promise<Server>
}

interface Door {
  readonly server: Server
  /** The latest answer of each connection, made or being made; none where Node's HTTP does not serve. */
  readonly latest: ReadonlyMap<Socket, ServerResponse>
}

/**
 * The sockets that this server listens on. Where one was inherited it is used, so that clients who connected while nobody
 * served are found waiting in it; and all of them can be handed on.
 */
export class Doors {
  readonly #inherited: Map<string, Inherited>
  readonly #open = new Map<string, Door>()
  #isLeaving = false

  constructor(inherited: ReadonlyMap<string, Inherited>) {
    this.#inherited = new Map(inherited)
  }

  /**
   * Rejects as `open` would for a port that is taken. To be asked before what takes seconds: whoever started a server at a
   * wrong port should not have to wait for that.
   */
  async check({ name, setting, port, host }: Omit<DoorPlan, 'open'>): Promise<void> {
    if (!this.#inherited.has(name)) await checkFree(setting, { port, host })
  }

  /** Resolves with the port. Rejects with UNAVAILABLE when it cannot be had. */
  async open({ name, setting, port, host, open }: DoorPlan): Promise<number> {
    const fd = this.#take(name, port)
    const server = await listen(setting, { port, host }, () =>
      open({ port, host, ...(fd !== undefined && { fd }) }),
    )
    const latest = new Map<Socket, ServerResponse>()
    this.#open.set(name, { server, latest })
    // What is no server of Node's HTTP never emits it.
    server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
      if (!latest.has(socket)) socket.once('close', () => latest.delete(socket))
      latest.set(socket, response)
      if (this.#isLeaving) response.setHeader('connection', 'close')
    })
    server.once('close', () => this.#open.delete(name))
    return (server.address() as AddressInfo).port
  }

  /** Gives up what was inherited and has no door any more: else clients would wait there for ever. */
  closeUnused(): void {
    for (const { fd } of this.#inherited.values()) closeSync(fd)
    this.#inherited.clear()
  }

  /** The sockets by name, as long as they are open. */
  handles(): readonly { readonly name: string; readonly fd: number; readonly port: number }[] {
    const handles: { name: string; fd: number; port: number }[] = []
    for (const [name, { server }] of this.#open) {
      const fd = descriptorOf(server)
      if (fd !== undefined) handles.push({ name, fd, port: (server.address() as AddressInfo).port })
    }
    return handles
  }

  /** Connections from now on are shown this certificate, where a server of Node's HTTPS listens. */
  renew(pair: CertificatePair): void {
    for (const { server } of this.#open.values())
      if ('setSecureContext' in server) (server as HttpsServer).setSecureContext(pair)
  }

  /** From now on each answer is the last one of its connection, also of those that are being made. */
  leave(): void {
    this.#isLeaving = true
    for (const { server, latest } of this.#open.values())
      for (const response of latest.values())
        if (!response.headersSent) response.setHeader('connection', 'close')
        // Its head promised to take more, and the server closes what is idle only when it is told to close.
        else if (!response.writableFinished)
          response.once('close', () => {
            if (!server.listening) (server as HttpServer).closeIdleConnections()
          })
  }

  #take(name: string, port: number): number | undefined {
    const inherited = this.#inherited.get(name)
    if (inherited === undefined) return undefined
    this.#inherited.delete(name)
    if (inherited.port === undefined || port === 0 || inherited.port === port) return inherited.fd
    closeSync(inherited.fd) // the setting was changed meanwhile
    return undefined
  }
}

/** Node shows it to its own modules alone. */
function descriptorOf(server: Server): number | undefined {
  const { _handle: handle } = server as unknown as { readonly _handle?: { readonly fd?: number } | null }
  const fd = handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}
