import { SERVICES } from '../identity/index.ts'
import type { CatalogueService } from '../identity-api/index.ts'
import type { RunningDialect } from './dialects.ts'
import { atPort, type OwnUrls } from './own-urls.ts'

/** What our own identity names in the catalogue beside itself. */
export function ownServices(urls: OwnUrls): readonly CatalogueService[] {
  return [
    { type: SERVICES.api, name: 'atelier', url: base => `${base}/v1` },
    { type: SERVICES.router, name: 'atelier-router', url: () => urls.router },
  ]
}

/** `endpoints`: where the operator says that a dialect is reached, by its name; empty for its port. */
export function dialectServices(
  dialects: readonly RunningDialect[],
  endpoints: Readonly<Record<string, string>>,
): readonly CatalogueService[] {
  return dialects.flatMap(({ name, service, port }) =>
    service ? [{ ...service, url: (base: string) => endpoints[name] || atPort(base, port) }] : [],
  )
}
