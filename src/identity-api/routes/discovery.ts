import type { FastifyInstance } from 'fastify'
import type { IdentityApiParts } from '../parts.ts'
import { baseOf, PREFIX } from '../root.ts'

/** The documents by which clients find out which versions are spoken. */
export function discoveryRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const options = { config: { anonymous: true } }
  server.get('/', options, async (request, reply) => {
    const root = `${baseOf(request, parts)}${PREFIX}`
    reply.code(300).header('location', `${root}/v3/`)
    return { versions: { values: [version(root)] } }
  })
  for (const path of ['/v3', '/v3/'])
    server.get(path, options, async request => ({ version: version(`${baseOf(request, parts)}${PREFIX}`) }))
}

/** The version of the API that the tests compare this one with. */
function version(root: string): object {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${root}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  }
}
