import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AtelierError, type Principal } from '../core/index.ts'
import { holderOf, type IdentityProvider, SERVICES } from '../identity/index.ts'

/**
 * Who asks: `Authorization: Bearer` or `X-Auth-Token`, before the body is read, for every operation that is not
 * anonymous. `Atelier-Project` names another project than the token's: operators take any, others one of their own.
 */
export function authenticate(server: FastifyInstance, identity: IdentityProvider): void {
  server.decorateRequest('principal', null)
  server.addHook('onRequest', async request => {
    if (request.routeOptions.config.anonymous) return
    const token = tokenOf(request)
    if (token === undefined)
      throw new AtelierError(
        'UNAUTHENTICATED',
        'This needs a token: send "Authorization: Bearer <token>" (POST /v1/tokens gives one).',
      )
    const principal = await callerOf(request, token, identity)
    const project = request.headers['atelier-project']
    request.principal =
      typeof project !== 'string' || project === principal.projectName
        ? principal
        : await identity.principalFor(principal, { name: project }, token)
  })
}

/** Whose token this is. Rejects as `IdentityProvider.authenticate`. */
export async function callerOf(
  request: FastifyRequest,
  token: string,
  identity: IdentityProvider,
): Promise<Principal> {
  return holderOf(identity, token, SERVICES.api, request)
}

/** The token as it was sent; `undefined` when there is none. */
export function tokenOf(request: FastifyRequest): string | undefined {
  const { authorization } = request.headers
  const bearer = authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization.trim())?.[1]
  if (bearer !== undefined) return bearer
  const header = request.headers['x-auth-token']
  return typeof header === 'string' && header !== '' ? header : undefined
}
