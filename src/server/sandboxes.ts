import {
  type Backend,
  ContainerBackend,
  composeBackends,
  MachineDoors,
  openLocalBackend,
} from '../backends/index.ts'
import { createBuilder, type OwnedBuilder } from '../builder/index.ts'
import type { Foundation } from './foundation.ts'
import { type Languages, openLanguages } from './languages.ts'
import type { Site } from './site.ts'

const MIB = 1024 * 1024

/** What runs code: sandboxes, languages, and what makes a package runnable. */
export interface Sandboxes {
  readonly backend: Backend
  /** The engine of images alone. */
  readonly containers: ContainerBackend
  readonly languages: Languages
  readonly builder: OwnedBuilder
}

/** Removes what an earlier server left behind. Rejects with BACKEND_FAILED where no sandbox works. */
export async function openSandboxes(site: Site, { nodes }: Pick<Foundation, 'nodes'>): Promise<Sandboxes> {
  const { config, log, clock, home, opened } = site
  const { runPath, bundlesPath } = home
  const onTrouble = (message: string, cause: unknown): void => log.warn({ err: cause }, message)
  const containers = new ContainerBackend({
    runPath,
    engine: config['container-engine'],
    runtime: config['container-runtime'],
    doors: new MachineDoors(),
    registries: site.addresses.registries,
  })
  const local = await openLocalBackend({ runPath, bundlesPath, isolation: config.isolation, clock })
  const backend = opened.adopt(composeBackends(local, containers, onTrouble), each => each.close())
  const swept = await backend.sweep()
  if (swept > 0) log.info({ swept }, 'removed what an earlier server left behind')
  const languages = await openLanguages(config.languages)
  const builder = opened.adopt(
    await createBuilder({
      path: home.packagesPath,
      backend,
      environments: new Map(languages.all.map(each => [each.name, each])),
      clock,
      packageLimits: { archiveBytesMax: config['package-mib-max'] * MIB },
      ...(nodes && { shelf: nodes.shelf }),
      log: message => log.warn({}, message),
    }),
    each => each.close(),
  )
  return { backend, containers, languages, builder }
}
