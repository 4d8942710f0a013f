import type { FastifyRequest } from 'fastify'
import { AtelierError, type Principal } from '../../core/index.ts'
import { holderOf, SERVICES } from '../../identity/index.ts'
import type { DialectParts } from '../dialect.ts'
import { EngineError } from '../engine/index.ts'
import { actionOf, needRight } from '../rights.ts'

/** What of a request tells who asks, and for what. */
export type Asked = Pick<FastifyRequest, 'method' | 'url' | 'headers' | 'params'>

export type WhoCalls = (request: Asked) => Promise<Principal>

/**
 * Who asks, in the project of the path: the token's own, or another one where the user has a role. Anything wrong with the token is
 * 401, as with Keystone's clients; only that nobody could be asked is 503, and that the role does not allow it 403.
 */
export function callers({ identity, table }: Pick<DialectParts, 'identity' | 'table'>): WhoCalls {
  return async request => {
    const token = request.headers['x-auth-token']
    if (typeof token !== 'string' || token === '') throw notAuthorised()
    const by = await callerOf(request, token)
    needRight(by, request.url.startsWith('/v1/r/') ? 'invoke' : actionOf(request))
    return by
  }

  async function callerOf(request: Asked, token: string): Promise<Principal> {
    try {
      const principal = await holderOf(identity, token, SERVICES.picasso, request)
      const { project_id: projectId } = request.params as { project_id?: string }
      if (projectId === undefined || principal.projectId === projectId) return principal
      if (table.projects.get(projectId)?.enabled === false) throw notAuthorised()
      return await identity.principalFor(principal, { id: projectId }, token)
    } catch (error) {
      if (error instanceof AtelierError && error.fault === 'platform')
        throw new EngineError(error.status, error.message, { cause: error, retryAfterS: error.retryAfterS })
      if (error instanceof AtelierError) throw notAuthorised()
      throw error
    }
  }
}

function notAuthorised(): EngineError {
  return new EngineError(
    401,
    'Not authorized. Reason: The request you have made requires authentication. (HTTP 401)',
  )
}
