import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DialectRecord } from '../../control/index.ts'
import { configIn, type Engine, type EngineApp, EngineError, textIn } from '../engine/index.ts'
import { objectIn } from './answers.ts'
import type { WhoCalls } from './caller.ts'
import type { Kept, KeptApp } from './kept.ts'

const NAME_CHARACTERS_MAX = 30
const DESCRIPTION_CHARACTERS_MAX = 255

/** `/v1/{project_id}/apps` */
export function appRoutes(server: FastifyInstance, engine: Engine, kept: Kept, who: WhoCalls): void {
  server.get('/v1/:project_id/apps', async request => {
    const by = await who(request)
    const [apps, known] = await Promise.all([engine.listApps(by), kept.apps(by.projectId)])
    const configs = new Map(apps.map(app => [app.name, app]))
    const shown = await Promise.all(
      known.map(async each =>
        viewOf(each, configs.get(each.body.name) ?? (await engine.getApp(by, each.body.name))),
      ),
    )
    return { apps: shown, message: 'Successfully listed applications' }
  })

  server.post('/v1/:project_id/apps', async request => {
    const by = await who(request)
    const given = objectIn(request, 'app', true)
    const asked = textIn(given, 'name')
    if (!asked) throw new EngineError(400, 'The app needs a "name".')
    const name = `${asked}-${by.projectId}`.slice(0, NAME_CHARACTERS_MAX)
    const description = textIn(given, 'description') ?? `App for project ${by.projectId}`
    if (description.length > DESCRIPTION_CHARACTERS_MAX)
      throw new EngineError(
        400,
        `The description must have at most ${DESCRIPTION_CHARACTERS_MAX} characters.`,
      )
    const config = configIn(given)
    // The client sends an empty object always: that is none.
    const app: EngineApp = { name, config: config && Object.keys(config).length > 0 ? config : null }
    const added = await kept.addApp(by, name, description, () => engine.createApp(by, app))
    return { app: viewOf(added, app), message: 'App successfully created' }
  })

  server.get('/v1/:project_id/apps/:app', async request => {
    const by = await who(request)
    const app = await kept.app(by, appIn(request))
    return { app: viewOf(app, await engine.getApp(by, app.body.name)), message: 'Successfully loaded app' }
  })

  server.put('/v1/:project_id/apps/:app', async request => {
    const by = await who(request)
    const app = await kept.app(by, appIn(request))
    const given = objectIn(request, 'app', false)
    if (textIn(given, 'name')) throw new EngineError(400, 'Could not update app - name is immutable')
    const updated = await engine.updateApp(by, app.body.name, configIn(given) ?? {})
    return { app: viewOf(app, updated), message: 'App successfully updated' }
  })

  server.delete('/v1/:project_id/apps/:app', async request => {
    const by = await who(request)
    const app = await kept.app(by, appIn(request))
    const { name } = app.body
    await engine.getApp(by, name)
    if ((await engine.listRoutes(by, name)).length > 0)
      throw new EngineError(403, `Unable to delete app ${name} with routes`)
    await engine.deleteApp(by, name)
    await kept.removeApp(app)
    return { message: 'App successfully deleted' }
  })
}

export function appIn(request: FastifyRequest): string {
  return (request.params as { app: string }).app
}

function viewOf({ body, projectId, createdAt, updatedAt }: DialectRecord<KeptApp>, { config }: EngineApp) {
  return {
    id: body.id,
    name: body.name,
    config,
    description: body.description,
    created_at: localTime(createdAt),
    updated_at: localTime(updatedAt),
    project_id: projectId,
  }
}

/** As Python's `str(datetime.now())`: the server's own time, without a zone. */
function localTime(ms: number): string {
  const local = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return `${local.toISOString().slice(0, 23).replace('T', ' ')}000`
}
