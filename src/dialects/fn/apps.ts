import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DialectRecord } from '../../control/index.ts'
import { AtelierError, type Principal } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { FnError, objectIn } from './answers.ts'
import { deployFn } from './deploy.ts'
import { type Kept, type KeptApp, type KeptFn, type KeptTrigger, KINDS, ourName } from './kept.ts'
import { pageOf } from './pages.ts'
import {
  checkAppName,
  checkShape,
  configIn,
  mapIn,
  mergedAnnotations,
  mergedConfig,
  textIn,
} from './rules.ts'

/** `/v2/apps` */
export function appRoutes(
  server: FastifyInstance,
  parts: DialectParts,
  kept: Kept,
  who: (request: FastifyRequest) => Promise<Principal>,
): void {
  const { control } = parts

  server.get('/v2/apps', async request => {
    const { projectId } = await who(request)
    return pageOf(request, await kept.list<KeptApp>(KINDS.app, { projectId }), viewOf)
  })

  server.post('/v2/apps', async request => {
    const by = await who(request)
    const given = objectIn(request)
    if (given['id']) throw new FnError(400, 'Cannot specify ID in create body')
    const name = checkAppName(textIn(given, 'name'))
    const body: KeptApp = {
      name,
      config: mergedConfig({}, configIn(given)),
      annotations: mergedAnnotations({}, mapIn(given, 'annotations')),
      syslogUrl: textIn(given, 'syslog_url') ?? '',
      shape: checkShape(textIn(given, 'shape') ?? ''),
      isMade: false,
    }
    const taken = 'App already exists'
    const added = await kept.add(
      KINDS.app,
      { projectId: by.projectId, parent: '', key: name, body },
      taken,
      async () => {
        await control.createApp(by, { name: ourName(name), config: body.config }).catch((error: unknown) => {
          if (error instanceof AtelierError && error.code === 'CONFLICT') throw new FnError(409, taken)
          throw error
        })
      },
    )
    return viewOf(added)
  })

  server.get('/v2/apps/:id', async request => viewOf(await kept.app(await who(request), idIn(request))))

  server.put('/v2/apps/:id', async request => {
    const by = await who(request)
    const app = await kept.app(by, idIn(request))
    const given = objectIn(request)
    const name = textIn(given, 'name')
    if (name && name !== app.body.name) throw new FnError(409, 'Could not update - name is immutable')
    const shape = textIn(given, 'shape')
    const change = {
      config: mergedConfig(app.body.config, configIn(given)),
      annotations: mergedAnnotations(app.body.annotations, mapIn(given, 'annotations')),
      syslogUrl: textIn(given, 'syslog_url') ?? app.body.syslogUrl,
      shape: shape ? checkShape(shape) : app.body.shape,
    }
    await control.updateApp(by, ourName(app.body.name), { config: change.config })
    const updated = await kept.records.update<KeptApp>(KINDS.app, app.id, body => ({ ...body, ...change }))
    kept.apps.forget(app.id)
    // A version freezes its app's configuration: what runs gets the new one with a new version.
    for (const fn of await kept.list<KeptFn>(KINDS.fn, { projectId: by.projectId, parent: app.id }))
      await deployFn(parts, by, app.body.name, fn.body, undefined)
    return viewOf(updated)
  })

  server.delete('/v2/apps/:id', async (request, reply) => {
    const by = await who(request)
    const app = await kept.app(by, idIn(request))
    await control.deleteApp(by, ourName(app.body.name), { force: true }).catch(unlessMissing)
    const inApp = { projectId: by.projectId, parent: app.id }
    for (const each of await kept.list<KeptTrigger>(KINDS.trigger, inApp)) {
      await kept.records.delete(KINDS.trigger, each.id)
      kept.triggers.forget(`${app.body.name} ${each.body.source}`)
    }
    for (const each of await kept.list<KeptFn>(KINDS.fn, inApp)) {
      await kept.records.delete(KINDS.fn, each.id)
      kept.fns.forget(each.id)
    }
    await kept.records.delete(KINDS.app, app.id)
    kept.apps.forget(app.id)
    return reply.code(204).send()
  })
}

export function idIn(request: FastifyRequest): string {
  return (request.params as { id: string }).id
}

export function unlessMissing(error: unknown): void {
  if (!(error instanceof AtelierError && error.code === 'NOT_FOUND')) throw error
}

function viewOf({ id, body, createdAt, updatedAt }: DialectRecord<KeptApp>) {
  return {
    id,
    name: body.name,
    config: body.config,
    annotations: body.annotations,
    ...(body.syslogUrl !== '' && { syslog_url: body.syslogUrl }),
    ...(body.shape !== '' && { shape: body.shape }),
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
  }
}
