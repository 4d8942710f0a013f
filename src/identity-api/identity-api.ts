import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'
import { identifyCallers } from './caller.ts'
import { sendError } from './errors.ts'
import type { IdentityApiParts } from './parts.ts'
import { PREFIX } from './root.ts'
import { applicationCredentialRoutes } from './routes/application-credentials.ts'
import { discoveryRoutes } from './routes/discovery.ts'
import { domainRoutes } from './routes/domains.ts'
import { ownRoutes } from './routes/own.ts'
import { projectRoutes } from './routes/projects.ts'
import { roleRoutes } from './routes/roles.ts'
import { serviceRoutes } from './routes/services.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { trustRoutes } from './routes/trusts.ts'
import { userRoutes } from './routes/users.ts'

/** As much as Keystone takes: no request of this API is longer. */
const BODY_BYTES_MAX = 114_688

/**
 * Mounts the identity API, a small Keystone v3, under `/identity`, with error answers and bodies of its own: clients of OpenStack
 * log in to this server as to a cloud.
 */
export async function mountIdentityApi(server: FastifyInstance, parts: IdentityApiParts): Promise<void> {
  await server.register(
    async scope => {
      scope.setErrorHandler((error, request, reply) => sendError(error, request, reply, parts))
      scope.setNotFoundHandler(async request => {
        throw new AtelierError(
          'NOT_FOUND',
          `There is nothing at ${JSON.stringify(request.url.slice(0, 200))}.`,
        )
      })
      readJson(scope)
      scope.addHook('onRequest', async (_request, reply) => {
        reply.headers({ vary: 'X-Auth-Token', 'x-openstack-request-id': `req-${randomUUID()}` })
      })
      identifyCallers(scope, parts)
      discoveryRoutes(scope, parts)
      tokenRoutes(scope, parts)
      ownRoutes(scope, parts)
      userRoutes(scope, parts)
      projectRoutes(scope, parts)
      roleRoutes(scope, parts)
      domainRoutes(scope, parts)
      serviceRoutes(scope, parts)
      applicationCredentialRoutes(scope, parts)
      trustRoutes(scope, parts)
    },
    { prefix: PREFIX },
  )
}

/** Bodies are JSON or nothing, whatever a client says of the type of nothing. */
function readJson(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  const options = { parseAs: 'string', bodyLimit: BODY_BYTES_MAX } as const
  scope.addContentTypeParser('*', options, async (request: FastifyRequest, body: string) => {
    if (body === '') return undefined
    const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
    if (type !== 'application/json')
      throw new AtelierError(
        'INVALID_INPUT',
        'The body must be application/json, and Content-Type must say so.',
      )
    try {
      return JSON.parse(body) as unknown
    } catch {
      throw new AtelierError('INVALID_INPUT', 'The body is not valid JSON.')
    }
  })
}
