import type { FastifyInstance } from 'fastify'
import { AtelierError, noSuch } from '../../core/index.ts'
import { callerOf } from '../caller.ts'
import { type Fields, queryFlag, queryText } from '../input.ts'
import { needOperator } from '../operator.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection, DOMAIN, domainView } from '../views.ts'

/** There is one domain, `default`, and it stays as it is. */
export function domainRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  server.get('/v3/domains', async request => {
    needOperator(request)
    const { query } = request
    const isAsked =
      (queryText(query, 'name') ?? DOMAIN.name) === DOMAIN.name && (queryFlag(query, 'enabled') ?? true)
    return collection('domains', isAsked ? [domainView(rootOf(request, parts))] : [], selfOf(request, parts))
  })

  server.get<{ Params: { domain: string } }>('/v3/domains/:domain', async request => {
    const isOurs = request.params.domain === DOMAIN.id
    if (!isOurs || !callerOf(request).project) needOperator(request)
    if (!isOurs) throw noSuch('domain', request.params.domain)
    return { domain: domainView(rootOf(request, parts)) }
  })

  server.post('/v3/domains', async request => {
    needOperator(request)
    throw new AtelierError('NOT_IMPLEMENTED', 'This server has one domain, "default", and makes no other.')
  })
}

/** Throws NOT_FOUND when something shall be made in a domain that there is not. */
export function needOurDomain(fields: Fields): void {
  const id = fields.textIfAny('domain_id') ?? DOMAIN.id
  if (id !== DOMAIN.id) throw noSuch('domain', id)
}
