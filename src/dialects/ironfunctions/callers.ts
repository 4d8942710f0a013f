import type { FastifyRequest } from 'fastify'
import type { Principal } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { checkJsonWebToken, EngineError } from '../engine/index.ts'

export type WhoCalls = (request: FastifyRequest) => Promise<Principal>

/**
 * Who manages apps and routes. IronFunctions knows nobody: where the operator names a project for it, whoever reaches the port works in
 * that project, after showing the service's JSON Web Token if there is a key for it. Anybody may show a token of the platform instead.
 */
export function callers({ identity, table, settings, clock }: DialectParts): WhoCalls {
  const { project, jwtKey } = settings.ironfunctions
  return async request => {
    const token = request.headers['x-auth-token']
    if (typeof token === 'string' && token !== '')
      return identity.cached(token) ?? (await identity.authenticate(token))
    if (jwtKey !== '') await checkJsonWebToken(request.headers.authorization, jwtKey).catch(notAuthorised)
    if (project === '')
      throw new EngineError(
        401,
        'This needs a token in the header X-Auth-Token. To let everybody who reaches this port work in one project, start the ' +
          'server with --ironfunctions-project.',
      )
    const found = [...table.projects.values()].find(each => each.name === project && each.enabled)
    if (!found)
      throw new EngineError(
        503,
        `The project ${JSON.stringify(project)} of --ironfunctions-project does not exist.`,
      )
    return {
      userId: 'ironfunctions',
      userName: 'ironfunctions',
      projectId: found.id,
      projectName: found.name,
      roles: ['member'],
      expiresAt: clock.now() + 60_000,
    }
  }
}

/** Here IronFunctions answers with a text where its other errors are objects. */
function notAuthorised(): never {
  throw new EngineError(401, 'Invalid API Authorization token.', { isBare: true })
}
