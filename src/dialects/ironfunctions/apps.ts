import type { FastifyInstance, FastifyRequest } from 'fastify'
import { configIn, type Engine, EngineError, textIn } from '../engine/index.ts'
import { readObject } from './answers.ts'
import type { WhoCalls } from './callers.ts'

const MISSING = 'Missing new application'

/** `/v1/apps` */
export function appRoutes(server: FastifyInstance, engine: Engine, who: WhoCalls): void {
  server.get('/v1/apps', async request => ({
    message: 'Successfully listed applications',
    apps: await engine.listApps(await who(request)),
  }))

  server.post('/v1/apps', async request => {
    const by = await who(request)
    const given = readObject(request, 'app', MISSING)
    const app = { name: textIn(given, 'name') ?? '', config: configIn(given) ?? null }
    return { message: 'App successfully created', app: await engine.createApp(by, app) }
  })

  server.get('/v1/apps/:app', async request => ({
    message: 'Successfully loaded app',
    app: await engine.getApp(await who(request), appIn(request)),
  }))

  server.patch('/v1/apps/:app', async request => {
    const by = await who(request)
    const given = readObject(request, 'app', MISSING)
    if (textIn(given, 'name')) throw new EngineError(400, 'Could not update app - name is immutable')
    const app = await engine.updateApp(by, appIn(request), configIn(given) ?? {})
    return { message: 'App successfully updated', app }
  })

  server.delete('/v1/apps/:app', async request => {
    await engine.deleteApp(await who(request), appIn(request))
    return { message: 'App deleted' }
  })
}

export function appIn(request: FastifyRequest): string {
  return (request.params as { app: string }).app
}
