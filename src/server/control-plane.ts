import { type ControlPlane, createControl } from '../control/index.ts'
import type { FunctionTable } from '../core/index.ts'
import type { EventSources } from './event-plane.ts'
import type { Foundation } from './foundation.ts'
import type { Sandboxes } from './sandboxes.ts'
import type { Site } from './site.ts'

/** The control plane, with the table filled from the store. */
export async function openControlPlane(
  site: Site,
  parts: Foundation & Sandboxes & Pick<EventSources, 'kinds'> & { readonly table: FunctionTable },
): Promise<ControlPlane> {
  const { config, clock, urls } = site
  const { store, secretsKey, nodes, identity, backend, containers, languages, builder, kinds, table } = parts
  const control = await createControl({
    store,
    builder,
    table,
    clock,
    secretsKey,
    environments: languages.all,
    images: containers,
    standIns: config['image-stand-ins'],
    triggers: kinds,
    routerUrl: () => urls.router,
    versionsKept: config['versions-kept'],
    networkAvailable: backend.capabilities().network.includes('outbound'),
    isolation: {
      check: async tier => {
        if (tier === 'gvisor') await backend.check?.({ isolation: tier })
      },
      images: config['container-runtime'] === 'runsc' ? 'gvisor' : 'process',
    },
    memoryMiBMax: config['memory-mib-max'],
    identity,
    ...(nodes && { nodes }),
  })
  await control.loadTable()
  return control
}
