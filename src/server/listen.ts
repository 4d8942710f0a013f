import { createServer, type Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../core/index.ts'

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not listen there',
}

/** Where to listen: at a port of this machine, or with a socket that somebody opened before. */
export interface ListenAt {
  readonly port: number
  readonly host: string
  readonly fd?: number
}

const NO_ADDRESS = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN'])

/** Runs `open` for a port of `host`; a failure says which setting to change. */
export async function listen<T>(
  setting: string,
  { port, host }: { readonly port: number; readonly host: string },
  open: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await open(port)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
    if (NO_ADDRESS.has(code))
      throw new AtelierError(
        'UNAVAILABLE',
        `This machine has no address ${JSON.stringify(host)}. Choose another with --host.`,
        { cause },
      )
    const reason = REASONS[code]
    if (reason === undefined) throw cause
    throw new AtelierError(
      'UNAVAILABLE',
      `Port ${port} cannot be used: ${reason}. Choose another with --${setting}.`,
      {
        cause,
      },
    )
  }
}

/** Rejects with UNAVAILABLE, as `listen` does, when nobody can listen there now. Port 0 is always free. */
export async function checkFree(
  setting: string,
  at: { readonly port: number; readonly host: string },
): Promise<void> {
  if (at.port === 0) return
  await listen(
    setting,
    at,
    () =>
      new Promise<void>((resolve, reject) => {
        const server = createServer()
        server.once('error', reject)
        server.listen(at, () => server.close(() => resolve()))
      }),
  )
}

/** Of one API: who opens more keeps others out of that one alone, and not files from the router and from instances. */
const CONNECTIONS_MAX = 4_096

/** Opens an API's server. Connections beyond `connectionsMax` are closed on arrival. */
export async function listening(
  server: FastifyInstance,
  at: ListenAt,
  connectionsMax = CONNECTIONS_MAX,
): Promise<Server> {
  server.server.maxConnections = connectionsMax
  await server.listen(at)
  return server.server
}
