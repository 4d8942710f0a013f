import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../core/index.ts'
import { createDialectServer, type DialectParts, dialectLoaders } from '../dialects/index.ts'
import { listen } from './listen.ts'

/** A dialect that was asked for. */
interface Wanted {
  readonly name: string
  /** `undefined` is the port that its clients expect. */
  readonly port: number | undefined
}

export interface RunningDialect {
  readonly name: string
  readonly port: number
  close(): Promise<void>
}

/** Reads `picasso,qinling:7071`. Throws INVALID_INPUT for a dialect that there is not, or a port that is none. */
export function readDialects(text: string): readonly Wanted[] {
  return text.split(',').flatMap(each => {
    const [name = '', port, ...rest] = each.trim().split(':')
    if (name === '') return []
    if (!dialectLoaders.has(name))
      throw new AtelierError(
        'INVALID_INPUT',
        `The setting dialects names ${JSON.stringify(name)}; there are ${[...dialectLoaders.keys()].join(', ')}.`,
      )
    if (rest.length > 0 || (port !== undefined && !/^\d{1,5}$/.test(port)) || Number(port ?? 0) > 65_535)
      throw new AtelierError(
        'INVALID_INPUT',
        `The setting dialects: ${JSON.stringify(each)} has no valid port.`,
      )
    return { name, port: port === undefined ? undefined : Number(port) }
  })
}

/** Starts those dialects, each on a port of its own. When one cannot listen, none does. */
export async function startDialects(
  wanted: readonly Wanted[],
  host: string,
  parts: DialectParts,
): Promise<readonly RunningDialect[]> {
  const running: RunningDialect[] = []
  try {
    for (const { name, port } of wanted) {
      const dialect = await dialectLoaders.get(name)!()
      const server = await createDialectServer(dialect, parts)
      const close = (): Promise<void> => server.close()
      const at = await listen('dialects', port ?? dialect.portDefault, at =>
        listening(server, at, host),
      ).catch(async (error: unknown) => {
        await close()
        throw error
      })
      running.push({ name, port: at, close })
    }
  } catch (error) {
    await Promise.all(running.map(each => each.close()))
    throw error
  }
  return running
}

async function listening(server: FastifyInstance, port: number, host: string): Promise<number> {
  await server.listen({ port, host })
  return (server.server.address() as { port: number }).port
}
