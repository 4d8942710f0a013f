import type { FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'
import type { IdentityApiParts } from './parts.ts'

/** Where the identity API is mounted. */
export const PREFIX = '/identity'

const HOST = /^(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?$/

/**
 * Scheme and host by which the caller reached us: what it is told to go to must be where it can go, be that through a tunnel, a
 * name or a proxy. Throws INVALID_INPUT for a host that is none, which would be repeated in answers.
 */
export function baseOf(request: FastifyRequest, { trustForwarded }: IdentityApiParts): string {
  const { host = '' } = request.headers
  if (!HOST.test(host))
    throw new AtelierError('INVALID_INPUT', 'The field Host is not a host name with an optional port.')
  const isSecure =
    request.protocol === 'https' || (trustForwarded && request.headers['x-forwarded-proto'] === 'https')
  return `${isSecure ? 'https' : 'http'}://${host}`
}

/** The address of the identity API; without a host that can be named, as a path. */
export function rootOf(request: FastifyRequest, parts: IdentityApiParts): string {
  return HOST.test(request.headers.host ?? '') ? `${baseOf(request, parts)}${PREFIX}` : PREFIX
}

/** The address that was asked. */
export function selfOf(request: FastifyRequest, parts: IdentityApiParts): string {
  return `${rootOf(request, parts)}${request.url.slice(PREFIX.length)}`
}
