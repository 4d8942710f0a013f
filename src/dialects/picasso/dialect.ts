import type { FastifyInstance } from 'fastify'
import { SERVICES } from '../../identity/index.ts'
import type { CallReader } from '../calls.ts'
import type { Dialect, DialectParts } from '../dialect.ts'
import { type Engine, OwnEngine } from '../engine/index.ts'
import { answerError, answerText, takeBytes } from './answers.ts'
import { appRoutes } from './apps.ts'
import { callers } from './caller.ts'
import { documentRoutes } from './document.ts'
import { Kept } from './kept.ts'
import { RemoteEngine } from './remote.ts'
import { routeRoutes } from './routes.ts'
import { runRoutes } from './run.ts'

/** OpenStack's Picasso, as its last commit speaks it, without its defects (docs/dialects/picasso.md). */
export const picasso: Dialect = {
  name: 'picasso',
  portDefault: 10_001,
  service: { type: SERVICES.picasso, name: 'picasso' },

  async register(server: FastifyInstance, parts: DialectParts): Promise<CallReader> {
    const { functionsUrl } = parts.settings.picasso
    const engine: Engine = functionsUrl === '' ? new OwnEngine(parts) : new RemoteEngine(functionsUrl)
    if (engine instanceof RemoteEngine) {
      await engine.check()
      server.addHook('onClose', async () => engine.close())
    }
    const kept = new Kept(parts.records, parts.clock)
    const who = callers(parts)
    takeBytes(server)
    server.setErrorHandler((error, _request, reply) => answerError(error, reply, parts.log))
    const known = methodsByPath(server)
    appRoutes(server, engine, kept, who)
    routeRoutes(server, engine, kept, who)
    const calls = runRoutes(server, engine, kept, who, parts.log)
    refuseOtherMethods(server, known, who)
    await documentRoutes(server)
    // Below /v1 nobody learns what there is without a token.
    server.setNotFoundHandler(async (request, reply) => {
      if (/^\/v1(?:[/?]|$)/.test(request.url)) await who(request)
      return answerText(reply, 404, 'Not Found')
    })
    return calls
  },
}

function methodsByPath(server: FastifyInstance): ReadonlyMap<string, Set<string>> {
  const known = new Map<string, Set<string>>()
  server.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set()
    for (const each of [method].flat()) methods.add(each)
    known.set(url, methods)
  })
  return known
}

/** 405 with `Allow` where the path is one of ours, after who asks was checked. */
function refuseOtherMethods(
  server: FastifyInstance,
  known: ReadonlyMap<string, Set<string>>,
  who: ReturnType<typeof callers>,
): void {
  const ours = new Map(known) // which grows with the routes that are added here
  for (const [url, methods] of ours) {
    const allowed = [...methods].filter(each => each !== 'HEAD').sort()
    const others = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT'].filter(
      each => !methods.has(each),
    )
    server.route({
      method: others,
      url,
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        if (url.startsWith('/v1/')) await who(request)
        return answerText(reply.header('allow', allowed.join(',')), 405, 'Method Not Allowed')
      },
    })
  }
}
