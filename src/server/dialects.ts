import { AtelierError } from '../core/index.ts'
import { createDialectServer, type Dialect, type DialectParts, dialectLoaders } from '../dialects/index.ts'
import type { Doors } from './doors.ts'
import { listening } from './listen.ts'

/** A dialect that was asked for. */
interface Wanted {
  readonly name: string
  /** `undefined` is the port that its clients expect. */
  readonly port: number | undefined
}

export interface RunningDialect {
  readonly name: string
  readonly port: number
  /** As what the catalogue lists it. */
  readonly service: Dialect['service']
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
  doors: Doors,
  parts: DialectParts,
): Promise<readonly RunningDialect[]> {
  const running: RunningDialect[] = []
  try {
    for (const { name, port } of wanted) {
      const dialect = await dialectLoaders.get(name)!()
      const server = await createDialectServer(dialect, parts)
      const close = (): Promise<void> => server.close()
      const at = await doors
        .open({
          name,
          setting: 'dialects',
          port: port ?? dialect.portDefault,
          host,
          open: where => listening(server, where),
        })
        .catch(async (error: unknown) => {
          await close()
          throw error
        })
      running.push({ name, port: at, service: dialect.service, close })
    }
  } catch (error) {
    await Promise.all(running.map(each => each.close()))
    throw error
  }
  return running
}
