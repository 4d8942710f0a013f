import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Dialect, DialectParts } from '../dialect.ts'
import { OwnEngine } from '../engine/index.ts'
import { answerError, JSON_TYPE, speakJson, trimSlash } from './answers.ts'
import { appRoutes } from './apps.ts'
import { callers } from './callers.ts'
import { routeRoutes } from './routes.ts'
import { runRoutes } from './run.ts'
import { taskRoutes } from './tasks.ts'

/** The version whose API this is. */
const VERSION = '0.2.72'

/** IronFunctions' API v1, as its server 0.2.72 speaks it (docs/dialects/ironfunctions.md). */
export const ironfunctions: Dialect = {
  name: 'ironfunctions',
  portDefault: 8080,

  register(server: FastifyInstance, parts: DialectParts): void {
    const engine = new OwnEngine(parts)
    speakJson(server)
    server.setErrorHandler((error, request, reply) => answerError(error, request, reply, parts.log))
    server.setNotFoundHandler(notFound)
    const who = callers(parts)
    // A name that is empty is the list's path with a slash at its end.
    server.addHook('preHandler', async (request, reply) =>
      (request.params as { app?: string }).app === '' ? notFound(request, reply) : undefined,
    )

    server.get('/', async () => ({ goto: 'https://github.com/iron-io/functions', hello: 'world!' }))
    for (const url of ['/version', '/v1/version']) server.get(url, async () => ({ version: VERSION }))
    server.get('/stats', async () => {
      const { queued, running, complete } = engine.counters
      return { Queue: queued, Running: running, Complete: complete }
    })
    appRoutes(server, engine, who)
    routeRoutes(server, engine, who)
    runRoutes(server, engine)
    taskRoutes(server, { engine, async: parts.async, who })
  },
}

/** No 405 here, and a path with a slash at its end leads to the one without. */
function notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const [path = '/', query] = request.url.split('?', 2)
  // What begins with two would lead to another host.
  if (path.length > 1 && path.endsWith('/') && !/^\/[/\\]/.test(path)) {
    const target = `${trimSlash(path)}${query === undefined ? '' : `?${query}`}`
    return reply.redirect(target, request.method === 'GET' ? 301 : 307)
  }
  return reply.code(404).type(JSON_TYPE).send('"Not Found"\n')
}
