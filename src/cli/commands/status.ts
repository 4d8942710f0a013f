import { EXIT } from '../failure.ts'
import { renderFields } from '../output/table.ts'
import type { CommandSpec } from '../spec.ts'
import { showDuration } from '../units.ts'

/** The parts of `GET /v1/status` that are shown; -o json shows all of it. */
interface WireStatus {
  readonly version: string
  readonly uptimeMs: number
  readonly isolation: { readonly backend: string; readonly tier: string; readonly notes: readonly string[] }
  /** Told to operators only. */
  readonly dataPath?: string
  readonly routerUrl: string
  /** Why calls cannot be served now. */
  readonly notReady: readonly string[]
  readonly counts: {
    readonly functions: number
    readonly triggers: number
    readonly instances: number
    readonly inFlight: number
  }
  readonly environments: readonly {
    readonly name: string
    readonly ready: boolean
    readonly runtimeVersion?: string
    readonly reason?: string
  }[]
}

export const status: CommandSpec = {
  name: 'status',
  summary: 'Show how the server is and how it isolates code',
  details: 'Ends with 1 when the server cannot serve calls now.',
  examples: [
    ['atelier status', 'version, isolation, languages, instances'],
    ['atelier status -o json', 'for a monitor'],
  ],
  async run({ context }) {
    const client = await context.client()
    const one = await client.get<WireStatus>('/v1/status')
    const { counts, isolation } = one
    const isReady = one.notReady.length === 0
    await context.result(one, () =>
      renderFields([
        ['server', `${client.login.url}, version ${one.version}, up ${showDuration(one.uptimeMs)}`],
        ['state', isReady ? 'ready' : ['not ready', ...one.notReady].join('\n')],
        ['router', one.routerUrl],
        ['isolation', [`${isolation.tier}, by ${isolation.backend}`, ...isolation.notes].join('\n')],
        [
          'languages',
          one.environments
            .map(each =>
              each.ready
                ? `${each.name} ${each.runtimeVersion ?? ''}`
                : `${each.name}: ${each.reason ?? 'not ready'}`,
            )
            .join('\n'),
        ],
        ['functions', `${counts.functions}, with ${counts.triggers} routes`],
        ['instances', `${counts.instances}, with ${counts.inFlight} calls running`],
        ['data', one.dataPath],
      ]),
    )
    if (!isReady) context.exitCode = EXIT.failed
  },
}
