import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Dialect, DialectParts } from '../dialect.ts'
import { aliasRoutes } from './aliases.ts'
import { answerError, answerUnknown } from './answers.ts'
import { type Caller, callerOf, SERVICE } from './callers.ts'
import { Deployer } from './deploy.ts'
import { executionRoutes } from './executions.ts'
import { takeBytes } from './forms.ts'
import { functionChangeRoutes } from './function-changes.ts'
import { functionRoutes } from './functions.ts'
import { JobClock } from './job-clock.ts'
import { jobRoutes } from './jobs.ts'
import { Kept } from './kept.ts'
import { retain } from './retention.ts'
import { routesOf } from './routes.ts'
import { Runs } from './runs.ts'
import { runtimeRoutes } from './runtimes.ts'
import { ObjectStore } from './swift.ts'
import { versionRoutes } from './versions.ts'
import { INVOKE_PATH, invokeRoute, webhookRoutes } from './webhooks.ts'
import { Workers, workerRoutes } from './workers.ts'

/** OpenStack's Qinling, API v1, without its defects (docs/dialect-qinling.md). */
export const qinling: Dialect = {
  name: 'qinling',
  portDefault: 7070,
  service: { type: SERVICE, name: 'qinling' },

  register(server: FastifyInstance, parts: DialectParts): void {
    const kept = new Kept(parts.records)
    const deployer = new Deployer(parts)
    const workers = new Workers(parts, kept)
    const runs = new Runs(parts, kept)
    const jobs = new JobClock(parts, kept, runs)
    const callers = new WeakMap<FastifyRequest, Caller>()
    const endpoint = (request: FastifyRequest): string =>
      parts.settings.qinling.endpoint.replace(/\/+$/, '') || `${request.protocol}://${request.host}`

    takeBytes(server)
    server.setErrorHandler((error, request, reply) => answerError(error, request, reply, parts.log))
    answerUnknown(server)
    // Before the body is read: nobody sends us megabytes whom we do not know.
    server.addHook('onRequest', async request => {
      const path = request.url.split('?', 1)[0]!
      const isOpen = path === '/' || path === '/v1' || path === '/v1/' || INVOKE_PATH.test(path)
      if (!isOpen && request.method !== 'OPTIONS') callers.set(request, await callerOf(request, parts))
    })

    server.get('/', { exposeHeadRoute: false }, async request => {
      const links = [{ href: `${endpoint(request)}/v1`, target: 'v1', rel: 'self' }]
      return { versions: [{ id: 'v1.0', status: 'CURRENT', links }] }
    })
    server.get('/v1', { exposeHeadRoute: false }, async (_request, reply) => reply.redirect('/v1/', 302))
    server.get('/v1/', { exposeHeadRoute: false }, async request => ({ uri: `${endpoint(request)}/v1` }))

    const add = routesOf(server, { of: request => callers.get(request)! })
    runtimeRoutes(add, parts, kept, workers)
    functionRoutes(add, kept, deployer, new ObjectStore(parts))
    functionChangeRoutes(add, kept, deployer, new ObjectStore(parts))
    workerRoutes(add, kept, workers, deployer)
    versionRoutes(add, kept, deployer)
    aliasRoutes(add, kept)
    executionRoutes(add, parts, kept, runs)
    jobRoutes(add, parts, kept, () => jobs.wake())
    webhookRoutes(add, kept, endpoint)
    invokeRoute(server, kept, runs)

    const stopForgetting = retain(parts, runs.texts)
    jobs.start()
    server.addHook('onClose', async () => {
      stopForgetting()
      await jobs.close()
    })
  },
}
