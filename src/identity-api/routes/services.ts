import type { FastifyInstance, FastifyRequest } from 'fastify'
import { noSuch } from '../../core/index.ts'
import { catalogueOf, REGION, type Service } from '../catalogue.ts'
import { queryText } from '../input.ts'
import { needOperator } from '../operator.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection } from '../views.ts'

interface ById {
  readonly Params: { readonly id: string }
}

/** The catalogue, row by row. It follows from what this server serves, so there is nothing to change. */
export function serviceRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  server.get('/v3/services', async request => {
    needOperator(request)
    const [type, name] = [queryText(request.query, 'type'), queryText(request.query, 'name')]
    const found = catalogueOf(request, parts).filter(
      each => (type === undefined || each.type === type) && (name === undefined || each.name === name),
    )
    return collection(
      'services',
      found.map(each => serviceView(rootOf(request, parts), each)),
      selfOf(request, parts),
    )
  })

  server.get<ById>('/v3/services/:id', async request => {
    needOperator(request)
    const found = catalogueOf(request, parts).find(each => each.id === request.params.id)
    if (!found) throw noSuch('service', request.params.id)
    return { service: serviceView(rootOf(request, parts), found) }
  })

  server.get('/v3/endpoints', async request => {
    needOperator(request)
    const { query } = request
    const wanted = {
      service_id: queryText(query, 'service_id'),
      interface: queryText(query, 'interface'),
      region_id: queryText(query, 'region_id') ?? queryText(query, 'region'),
    }
    const found = endpointsOf(request, parts).filter(each =>
      Object.entries(wanted).every(
        ([name, value]) => value === undefined || each[name as keyof typeof wanted] === value,
      ),
    )
    return collection('endpoints', found, selfOf(request, parts))
  })

  server.get<ById>('/v3/endpoints/:id', async request => {
    needOperator(request)
    const found = endpointsOf(request, parts).find(each => each.id === request.params.id)
    if (!found) throw noSuch('endpoint', request.params.id)
    return { endpoint: found }
  })

  server.get('/v3/regions', async request =>
    collection('regions', [regionView(rootOf(request, parts))], selfOf(request, parts)),
  )

  server.get<ById>('/v3/regions/:id', async request => {
    if (request.params.id !== REGION) throw noSuch('region', request.params.id)
    return { region: regionView(rootOf(request, parts)) }
  })
}

function serviceView(root: string, { id, type, name }: Service): object {
  return { id, type, name, enabled: true, links: { self: `${root}/v3/services/${id}` } }
}

function endpointsOf(request: FastifyRequest, parts: IdentityApiParts) {
  const root = rootOf(request, parts)
  return catalogueOf(request, parts).flatMap(service =>
    service.endpoints.map(each => ({
      ...each,
      service_id: service.id,
      enabled: true,
      links: { self: `${root}/v3/endpoints/${each.id}` },
    })),
  )
}

function regionView(root: string): object {
  return {
    id: REGION,
    description: '',
    parent_region_id: null,
    links: { self: `${root}/v3/regions/${REGION}` },
  }
}
