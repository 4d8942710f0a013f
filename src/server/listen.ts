import type { Server } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../core/index.ts'

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EACCES: 'this user may not listen there',
  EADDRNOTAVAIL: 'this machine has no such address',
}

/** Where to listen: at a port of this machine, or with a socket that somebody opened before. */
export interface ListenAt {
  readonly port: number
  readonly host: string
  readonly fd?: number
}

/** Runs `open` for a port; a failure says which setting to change. */
export async function listen<T>(
  setting: string,
  port: number,
  open: (port: number) => Promise<T>,
): Promise<T> {
  try {
    return await open(port)
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? ''
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

/** Opens an API's server. */
export async function listening(server: FastifyInstance, at: ListenAt): Promise<Server> {
  await server.listen(at)
  return server.server
}
