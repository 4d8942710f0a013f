import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AtelierError, type Principal, pathAsked } from '../core/index.ts'
import { allowsRequest, principalOf, SERVICES, type Session } from '../identity/index.ts'
import type { IdentityApiParts } from './parts.ts'
import { PREFIX } from './root.ts'

const callers = new WeakMap<FastifyRequest, Session>()

/** Who asks, by `X-Auth-Token`, before the body is read; for every route that is not anonymous. */
export function identifyCallers(server: FastifyInstance, { identity }: IdentityApiParts): void {
  server.addHook('onRequest', async request => {
    if (request.routeOptions.config.anonymous || request.is404) return
    const token = request.headers['x-auth-token']
    const session = typeof token === 'string' ? await identity.directory.inspect(token) : undefined
    if (!session) throw new AtelierError('UNAUTHENTICATED', 'This needs X-Auth-Token.')
    const rules = session.credential?.accessRules
    const path = pathAsked(request.url).slice(PREFIX.length)
    if (rules && !allowsRequest(rules, { service: SERVICES.identity, method: request.method, path }))
      throw new AtelierError('UNAUTHENTICATED', 'The access rules do not allow this request.')
    callers.set(request, session)
  })
}

export function callerOf(request: FastifyRequest): Session {
  const session = callers.get(request)
  if (session) return session
  throw new AtelierError('UNAUTHENTICATED', 'This needs X-Auth-Token.')
}

/** The caller for operations of the control plane, which all belong to a project. */
export function principalOfCaller(request: FastifyRequest): Principal {
  const principal = principalOf(callerOf(request))
  if (principal) return principal
  throw new AtelierError('FORBIDDEN', 'This needs a token with a project.')
}
