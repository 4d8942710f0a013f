import type { FastifyInstance, FastifyRequest } from 'fastify'
import { cleanPath, type Engine, EngineError, routeIn, textIn } from '../engine/index.ts'
import { readObject } from './answers.ts'
import { appIn } from './apps.ts'
import type { WhoCalls } from './callers.ts'

const MISSING = 'Missing new route'
const OPEN = { isPublic: true } // as all of IronFunctions' are

/** `/v1/apps/:app/routes`, and `/v1/routes` of all apps. */
export function routeRoutes(server: FastifyInstance, engine: Engine, who: WhoCalls): void {
  server.get('/v1/routes', async request => {
    const by = await who(request)
    const apps = await engine.listApps(by)
    const routes = await Promise.all(apps.map(app => engine.listRoutes(by, app.name)))
    return listed(request, routes.flat())
  })

  server.get('/v1/apps/:app/routes', async request =>
    listed(request, await engine.listRoutes(await who(request), appIn(request))),
  )

  server.post('/v1/apps/:app/routes', async request => {
    const by = await who(request)
    const given = readObject(request, 'route', MISSING)
    const path = textIn(given, 'path')
    const route = { ...routeIn(given), ...(path !== undefined && { path }) }
    return {
      message: 'Route successfully created',
      route: await engine.createRoute(by, appIn(request), route, OPEN),
    }
  })

  server.get('/v1/apps/:app/routes/*', async request => ({
    message: 'Successfully loaded route',
    route: await engine.getRoute(await who(request), appIn(request), pathIn(request)),
  }))

  server.patch('/v1/apps/:app/routes/*', async request => {
    const by = await who(request)
    const given = readObject(request, 'route', MISSING)
    if (textIn(given, 'path')) throw new EngineError(400, 'Could not update route - path is immutable')
    return {
      message: 'Route successfully updated',
      route: await engine.updateRoute(by, appIn(request), pathIn(request), routeIn(given), {}),
    }
  })

  server.delete('/v1/apps/:app/routes/*', async request => {
    await engine.deleteRoute(await who(request), appIn(request), pathIn(request))
    return { message: 'Route deleted' }
  })
}

/** What follows `/routes` or the app's name, cleaned; `/` when nothing does. */
export function pathIn(request: FastifyRequest): string {
  return cleanPath((request.params as { readonly '*'?: string })['*'] ?? '')
}

function listed(
  request: FastifyRequest,
  routes: readonly { readonly image: string; readonly path: string }[],
) {
  const { image } = request.query as { image?: string }
  const found = image === undefined ? routes : routes.filter(route => route.image === image)
  const sorted = [...found].sort((a, b) => (a.path < b.path ? 1 : -1)) // as upstream's own store does
  return { message: 'Sucessfully listed routes', routes: sorted } // their spelling
}
