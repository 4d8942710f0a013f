import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { SERVICES } from '../identity/index.ts'
import type { CatalogueService, IdentityApiParts } from './parts.ts'
import { baseOf, PREFIX } from './root.ts'

/** All is in one. */
export const REGION = 'RegionOne'

const INTERFACES = ['public', 'internal', 'admin'] as const

export interface Service {
  readonly id: string
  readonly type: string
  readonly name: string
  readonly endpoints: readonly Endpoint[]
}

interface Endpoint {
  readonly id: string
  readonly interface: string
  readonly region_id: string
  readonly region: string
  readonly url: string
}

/** What there is and where, as a token tells it. */
export function catalogueOf(request: FastifyRequest, parts: IdentityApiParts): readonly Service[] {
  const base = baseOf(request, parts)
  const own: CatalogueService = {
    type: SERVICES.identity,
    name: 'keystone',
    url: () => `${base}${PREFIX}/v3`,
  }
  return [own, ...parts.services].map(({ type, name, url }) => ({
    id: idOf(type),
    type,
    name,
    endpoints: INTERFACES.map(each => ({
      id: idOf(`${type} ${each}`),
      interface: each,
      region_id: REGION,
      region: REGION,
      url: url(base),
    })),
  }))
}

/** The same on every server and after every start. */
function idOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
