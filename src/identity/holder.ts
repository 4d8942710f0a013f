import type { IncomingHttpHeaders } from 'node:http'
import { type Principal, pathAsked } from '../core/index.ts'
import type { IdentityProvider } from './identity.ts'

/**
 * Whose token a request shows. One with access rules is good where a rule names this request to `service`, a type in the catalogue. With
 * `X-Service-Token` the request is another service's, which passes on what its own caller asked. Rejects as `IdentityProvider.authenticate`.
 */
export async function holderOf(
  identity: Pick<IdentityProvider, 'authenticate' | 'cached'>,
  token: string,
  service: string,
  {
    method,
    url,
    headers,
  }: { readonly method: string; readonly url: string; readonly headers: IncomingHttpHeaders },
): Promise<Principal> {
  const passedOnBy = headers['x-service-token']
  const isPassedOn = typeof passedOnBy === 'string' && passedOnBy !== ''
  // Who speaks for another service must be looked at, too.
  const known = isPassedOn ? undefined : identity.cached(token)
  if (known) return known
  return identity.authenticate(token, {
    service,
    method,
    path: pathAsked(url),
    ...(isPassedOn && { serviceToken: passedOnBy }),
  })
}
