import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Action } from '../../identity/index.ts'
import { anybody } from '../anybody.ts'
import type { Dialect, DialectParts } from '../dialect.ts'
import { answerError, takeBytes } from './answers.ts'
import { appRoutes } from './apps.ts'
import { fnRoutes } from './fns.ts'
import { invokeRoutes } from './invoke.ts'
import { Kept } from './kept.ts'
import { triggerRoutes } from './triggers.ts'

/** The version whose API this is. */
const VERSION = '0.3.753'

/** Fn's API v2 and its ways to call (docs/dialect-fn.md). */
export const fn: Dialect = {
  name: 'fn',
  portDefault: 8080,

  register(server: FastifyInstance, parts: DialectParts): void {
    const kept = new Kept(parts)
    const methods = methodsOf(server)
    takeBytes(server)
    server.setErrorHandler((error, request, reply) => answerError(error, request, reply, parts.log))
    server.get('/', async () => ({ goto: 'https://github.com/fnproject/fn', hello: 'world!' }))
    server.get('/version', async () => ({ version: VERSION }))
    server.get('/ping', async () => ({ hello: 'world!', goto: 'https://github.com/fnproject/fn' }))
    const who = (request: FastifyRequest, action?: Action) => anybody(request, 'fn', parts, action)
    appRoutes(server, parts, kept, who)
    fnRoutes(server, parts, kept, who)
    triggerRoutes(server, kept, who)
    invokeRoutes(server, parts, kept, who)
    server.setNotFoundHandler((request, reply) => {
      const path = request.url.split('?', 1)[0]!
      const isKnown = methods.some(pattern => pattern.test(path))
      return isKnown
        ? reply.code(405).send({ message: `Method not allowed: ${request.method} ${path}` })
        : reply.code(404).send({ message: `Path not found: ${request.method} ${path}` })
    })
  },
}

/** The paths that some method is served at. */
function methodsOf(server: FastifyInstance): RegExp[] {
  const patterns: RegExp[] = []
  server.addHook('onRoute', ({ url }) => {
    patterns.push(new RegExp(`^${url.replaceAll(/:[^/]+/g, '[^/]+').replaceAll('*', '.*')}$`))
  })
  return patterns
}
