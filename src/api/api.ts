import multipart from '@fastify/multipart'
import fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import { newId } from '../core/index.ts'
import { authenticate } from './authentication.ts'
import { documentApi } from './document.ts'
import { EnvironmentList } from './environment-list.ts'
import { honourIdempotencyKeys } from './idempotency.ts'
import { IdempotencyStore } from './idempotency-store.ts'
import { API_LIMITS_DEFAULT, type ApiParts } from './parts.ts'
import { sendProblem } from './problem.ts'
import { aliasRoutes } from './routes/aliases.ts'
import { appRoutes } from './routes/apps.ts'
import { asyncBatchRoute } from './routes/async-batch.ts'
import { asyncInvocationRoutes } from './routes/async-invocations.ts'
import { deployRoutes } from './routes/deploy.ts'
import { environmentRoutes } from './routes/environments.ts'
import { functionRoutes } from './routes/functions.ts'
import { healthRoutes } from './routes/health.ts'
import { instanceRoutes } from './routes/instances.ts'
import { invocationRoutes } from './routes/invocations.ts'
import { invokeRoutes } from './routes/invoke.ts'
import { logRoutes } from './routes/logs.ts'
import { nodeRoutes } from './routes/nodes.ts'
import { packageRoutes } from './routes/packages.ts'
import { projectRoutes } from './routes/projects.ts'
import { quotaRoutes } from './routes/quota.ts'
import { secretRoutes } from './routes/secrets.ts'
import { statusRoutes } from './routes/status.ts'
import { tokenRoutes } from './routes/tokens.ts'
import { topicRoutes } from './routes/topics.ts'
import { triggerEventRoutes } from './routes/trigger-events.ts'
import { triggerRoutes } from './routes/triggers.ts'
import { usageRoutes } from './routes/usage.ts'
import { userRoutes } from './routes/users.ts'
import { versionRoutes } from './routes/versions.ts'
import { unknownRoutes } from './unknown-routes.ts'
import { createValidatorCompiler } from './validation.ts'

const REQUEST_TIMEOUT_MS = 15 * 60_000 // for a whole request to come in: a large package over a slow line
const HEADERS_TIMEOUT_MS = 15_000

/**
 * The control plane's REST API, ready to listen. It closes with `close()`: followed logs end, other requests are answered
 * first.
 */
export async function createApi(parts: ApiParts): Promise<FastifyInstance> {
  const { jsonBytesMax } = { ...API_LIMITS_DEFAULT, ...parts.limits }
  const server = fastify({
    logger: false,
    bodyLimit: jsonBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    // In its place. To the framework's types a server of HTTPS is another kind of thing; it is spoken to in the same way.
    ...(parts.encryption &&
      ({
        https: {
          ...parts.encryption,
          headersTimeout: HEADERS_TIMEOUT_MS,
          handshakeTimeout: HEADERS_TIMEOUT_MS,
        },
      } as object)),
    genReqId: () => newId(parts.clock.now()),
    routerOptions: { maxParamLength: 256 },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    schemaController: ownCompilers,
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply, parts.log),
  })
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, parts.log))
  server.setNotFoundHandler(unknownRoutes(server))
  secureAnswers(server, parts)

  if (parts.identityApi) {
    // Before the document, which tells of our own API alone.
    const { mountIdentityApi } = await import('../identity-api/index.ts')
    await mountIdentityApi(server, parts.identityApi)
  }
  documentApi(server, parts.status().version, parts.log)
  await server.register(multipart)
  const environments = new EnvironmentList(parts.environments, parts.clock)
  healthRoutes(server, parts)
  nodeRoutes(server, parts)
  await server.register(
    async v1 => {
      authenticate(v1, parts.identity)
      honourIdempotencyKeys(v1, new IdempotencyStore(parts.store, parts.clock, parts.nodes), parts.log)
      tokenRoutes(v1, parts)
      appRoutes(v1, parts)
      functionRoutes(v1, parts)
      deployRoutes(v1, parts)
      invokeRoutes(v1, parts)
      versionRoutes(v1, parts)
      aliasRoutes(v1, parts)
      logRoutes(v1, parts)
      invocationRoutes(v1, parts)
      asyncBatchRoute(v1, parts)
      asyncInvocationRoutes(v1, parts)
      triggerRoutes(v1, parts)
      triggerEventRoutes(v1, parts)
      topicRoutes(v1, parts)
      secretRoutes(v1, parts)
      packageRoutes(v1, parts)
      environmentRoutes(v1, environments)
      instanceRoutes(v1, parts)
      usageRoutes(v1, parts)
      projectRoutes(v1, parts)
      quotaRoutes(v1, parts)
      userRoutes(v1, parts)
      statusRoutes(v1, parts, environments)
    },
    { prefix: '/v1' },
  )
  await server.ready()
  return server
}

/**
 * Given with the options, not set later: so the framework does not load its own, which are larger than all of this folder. Its types
 * know a factory of validators only as one that makes Ajv itself.
 */
const ownCompilers = {
  compilersFactory: {
    buildValidator: () => createValidatorCompiler(),
    buildSerializer: () => () => (value: unknown) => JSON.stringify(value),
  },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>

/** Headers that every answer carries, and a line in the log for each request. */
function secureAnswers(server: FastifyInstance, { log }: ApiParts): void {
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({
      'atelier-request-id': request.id,
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
  })
  server.addHook('onResponse', async (request, reply) => {
    const fields = {
      requestId: request.id,
      method: request.method,
      path: request.url.split('?', 1)[0], // a query may hold what is nobody's business
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      user: request.principal?.userName,
      project: request.principal?.projectName,
    }
    log.debug(fields, 'request')
  })
}
