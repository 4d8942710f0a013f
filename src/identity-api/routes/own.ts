import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import { callerOf } from '../caller.ts'
import { catalogueOf } from '../catalogue.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection, projectView } from '../views.ts'

/** What a token may ask about itself: where it could work, and what there is. */
export function ownRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { directory } = parts.identity

  server.get('/v3/auth/projects', async request => {
    const by = callerOf(request)
    const places = await directory.placesOf(by, by.user.id)
    const root = rootOf(request, parts)
    const usable = places.filter(each => each.enabled).map(each => projectView(root, each))
    return collection('projects', usable, selfOf(request, parts))
  })

  server.get('/v3/auth/catalog', async request => {
    if (!callerOf(request).project)
      throw new AtelierError('FORBIDDEN', 'The catalogue is for tokens that have a project.')
    return { catalog: catalogueOf(request, parts), links: { self: selfOf(request, parts) } }
  })

  server.get('/v3/auth/domains', async request => collection('domains', [], selfOf(request, parts)))

  server.get('/v3/auth/system', async request => ({ system: [], links: { self: selfOf(request, parts) } }))
}
