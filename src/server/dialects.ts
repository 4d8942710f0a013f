import { createDialectRecords } from '../control/index.ts'
import { AtelierError } from '../core/index.ts'
import { createDialectServer, type Dialect, type DialectParts, dialectLoaders } from '../dialects/index.ts'
import type { Doors } from './doors.ts'
import type { Parts } from './parts.ts'
import type { Site } from './site.ts'

/** A dialect that was asked for. */
export interface WantedDialect {
  readonly name: string
  /** `undefined` is the port that its clients expect. */
  readonly port: number | undefined
}

export interface RunningDialect {
  readonly name: string
  readonly port: number
  /** As what the catalogue lists it. */
  readonly service: Dialect['service']
  /** How many came. */
  readonly requests: number
  close(): Promise<void>
}

/** Reads `picasso,qinling:7071`. Throws INVALID_INPUT for a dialect that there is not, or a port that is none. */
export function readDialects(text: string): readonly WantedDialect[] {
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

/** Rejects when one of those dialects could not listen. */
export async function checkDialects(
  wanted: readonly WantedDialect[],
  doors: Doors,
  host: string,
): Promise<void> {
  for (const { name, port } of wanted) await doors.check({ name, ...(await doorOf(name, port)), host })
}

async function doorOf(name: string, port: number | undefined): Promise<{ setting: string; port: number }> {
  return { setting: 'dialects', port: port ?? (await dialectLoaders.get(name)!()).portDefault }
}

/** Starts those dialects, each on a port of its own. When one cannot listen, none does. */
export async function startDialects(
  wanted: readonly WantedDialect[],
  doors: Doors,
  site: Site,
  parts: Parts,
): Promise<readonly RunningDialect[]> {
  const { host } = site.config
  const dialectParts = partsOf(site, parts)
  const running: RunningDialect[] = []
  try {
    for (const { name, port } of wanted) {
      const dialect = await dialectLoaders.get(name)!()
      const server = await createDialectServer(dialect, dialectParts)
      const close = (): Promise<void> => server.close()
      const at = await doors
        .open({
          name,
          ...(await doorOf(name, port)),
          host,
          open: where => server.listen(where),
        })
        .catch(async (error: unknown) => {
          await close()
          throw error
        })
      running.push({
        name,
        port: at,
        service: dialect.service,
        get requests() {
          return server.requests
        },
        close,
      })
    }
  } catch (error) {
    await closeDialects(running)
    throw error
  }
  return running
}

export async function closeDialects(dialects: readonly RunningDialect[]): Promise<void> {
  await Promise.all(dialects.map(each => each.close()))
}

function partsOf({ config, clock, log, certificate }: Site, parts: Parts): DialectParts {
  const { store, control, invoker, asyncCalls, records, identity, table, containers, pool } = parts
  return {
    control,
    invoker,
    async: asyncCalls,
    telemetry: records,
    identity,
    table,
    records: createDialectRecords(store, clock),
    secrets: control.secrets,
    images: containers,
    pool,
    settings: {
      openProject: config['dialect-project'],
      ironfunctions: { jwtKey: config['ironfunctions-jwt-key'] },
      picasso: { functionsUrl: config['picasso-functions-url'] },
      qinling: {
        endpoint: config['qinling-endpoint'],
        swiftUrl: config['qinling-swift-url'],
        executionDays: config['qinling-execution-days'],
      },
    },
    clock,
    log,
    encrypt: certificate?.encrypt,
  }
}
