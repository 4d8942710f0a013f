import type { FastifyInstance, FastifyRequest } from 'fastify'
import { cleanPath, type Engine, EngineError, type EngineRoute, routeIn, textIn } from '../engine/index.ts'
import { objectIn } from './answers.ts'
import { appIn } from './apps.ts'
import type { WhoCalls } from './caller.ts'
import type { Kept } from './kept.ts'

/** `/v1/{project_id}/apps/{app}/routes` */
export function routeRoutes(server: FastifyInstance, engine: Engine, kept: Kept, who: WhoCalls): void {
  const base = '/v1/:project_id/apps/:app/routes'

  server.get(base, async request => {
    const by = await who(request)
    const { name } = (await kept.app(by, appIn(request))).body
    const [routes, known] = await Promise.all([engine.listRoutes(by, name), kept.routes(name)])
    const open = new Map(known.map(each => [each.body.path, each.body.isPublic]))
    const shown = routes.filter(each => open.has(each.path)).map(each => viewOf(each, open.get(each.path)!))
    return { routes: shown, message: 'Successfully loaded app routes' }
  })

  server.post(base, async request => {
    const by = await who(request)
    const { name } = (await kept.app(by, appIn(request))).body
    const given = objectIn(request, 'route', true)
    const path = textIn(given, 'path')
    if (!path) throw new EngineError(400, 'The route needs a "path".')
    const route = { ...routeIn(given), path }
    const isPublic = publicIn(given) ?? false
    await engine.getApp(by, name)
    let made: EngineRoute | undefined
    await kept.addRoute(by, name, { path: cleanPath(path), isPublic }, async () => {
      made = await engine.createRoute(by, name, route, { isPublic }).catch((error: unknown) => {
        if (error instanceof EngineError && error.status === 409)
          throw new EngineError(409, `App ${name} route ${path} already exist`)
        throw error
      })
    })
    return { route: viewOf(made!, isPublic), message: 'App route successfully created' }
  })

  server.get(`${base}/*`, async request => {
    const { by, app, path, known } = await found(request)
    return {
      route: viewOf(await engine.getRoute(by, app, path), known.body.isPublic),
      message: 'App route successfully loaded',
    }
  })

  server.put(`${base}/*`, async request => {
    const { by, app, path, known } = await found(request)
    await engine.getRoute(by, app, path)
    const given = objectIn(request, 'route', false)
    if (textIn(given, 'path')) throw new EngineError(400, 'Could not update route - path is immutable')
    const change = routeIn(given)
    const isPublic = publicIn(given)
    const updated = await engine.updateRoute(
      by,
      app,
      path,
      change,
      isPublic === undefined ? {} : { isPublic },
    )
    if (isPublic !== undefined && isPublic !== known.body.isPublic) await kept.setPublic(app, known, isPublic)
    return { route: viewOf(updated, isPublic ?? known.body.isPublic), message: 'Route successfully updated' }
  })

  server.delete(`${base}/*`, async request => {
    const { by, app, path, known } = await found(request)
    await engine.deleteRoute(by, app, path)
    await kept.removeRoute(app, known)
    return { message: 'Route successfully deleted' }
  })

  async function found(request: FastifyRequest) {
    const by = await who(request)
    const app = (await kept.app(by, appIn(request))).body.name
    const path = pathIn(request)
    const known = await kept.route(app, path)
    if (!known) throw new EngineError(404, 'Route not found')
    return { by, app, path, known }
  }
}

/** The route's path: the rest of the address. */
export function pathIn(request: FastifyRequest): string {
  return cleanPath((request.params as { '*': string })['*'])
}

/** Clients send a text, the documents say a boolean: both are understood. */
function publicIn(given: Record<string, unknown>): boolean | undefined {
  const value = given['is_public']
  if (value === undefined || value === null) return undefined
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw new EngineError(400, 'The field "is_public" must be true or false.')
}

function viewOf(route: EngineRoute, isPublic: boolean) {
  return {
    path: route.path,
    type: route.type,
    image: route.image,
    is_public: isPublic,
    memory: route.memory,
    timeout: route.timeout,
    max_concurrency: route.max_concurrency,
  }
}
