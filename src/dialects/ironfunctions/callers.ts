import type { FastifyRequest } from 'fastify'
import type { Principal } from '../../core/index.ts'
import { anybody, shownToken } from '../anybody.ts'
import type { DialectParts } from '../dialect.ts'
import { checkJsonWebToken, EngineError } from '../engine/index.ts'

export type WhoCalls = (request: FastifyRequest) => Promise<Principal>

/** Who manages apps and routes: see `anybody`; who shows no token of the platform needs the service's JSON Web Token, if it has a key. */
export function callers(parts: DialectParts): WhoCalls {
  const { jwtKey } = parts.settings.ironfunctions
  return async request => {
    if (jwtKey !== '' && shownToken(request) === undefined)
      await checkJsonWebToken(request.headers.authorization, jwtKey).catch(notAuthorised)
    return anybody(request, 'ironfunctions', parts)
  }
}

/** Here IronFunctions answers with a text where its other errors are objects. */
function notAuthorised(): never {
  throw new EngineError(401, 'Invalid API Authorization token.', { isBare: true })
}
