import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DialectRecord } from '../../control/index.ts'
import type { Principal } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { FnError, objectIn } from './answers.ts'
import { idIn, unlessMissing } from './apps.ts'
import { deployFn } from './deploy.ts'
import { type Kept, type KeptFn, type KeptTrigger, KINDS, ourName } from './kept.ts'
import { asked, pageOf } from './pages.ts'
import {
  checkLimits,
  checkUrlName,
  configIn,
  countIn,
  IDLE_TIMEOUT_S_DEFAULT,
  MEMORY_MIB_DEFAULT,
  mapIn,
  mergedAnnotations,
  mergedConfig,
  TIMEOUT_S_DEFAULT,
  textIn,
} from './rules.ts'

/** `/v2/fns` */
export function fnRoutes(
  server: FastifyInstance,
  parts: DialectParts,
  kept: Kept,
  who: (request: FastifyRequest) => Promise<Principal>,
): void {
  server.get('/v2/fns', async request => {
    const { projectId } = await who(request)
    const appId = asked(request, 'app_id')
    const found = await kept.list<KeptFn>(KINDS.fn, {
      projectId,
      ...(appId !== undefined && { parent: appId }),
    })
    return pageOf(request, found, each => viewOf(each, request))
  })

  server.post('/v2/fns', async request => {
    const by = await who(request)
    const given = objectIn(request)
    if (given['id']) throw new FnError(400, 'Cannot specify ID in create body')
    const appId = textIn(given, 'app_id')
    if (!appId) throw new FnError(400, 'Missing AppID')
    const name = checkUrlName('Fn', textIn(given, 'name'))
    const image = textIn(given, 'image')
    if (!image) throw new FnError(400, 'Missing image on Fn')
    const limits = {
      memory: countIn(given, 'memory') ?? MEMORY_MIB_DEFAULT,
      timeout: countIn(given, 'timeout') ?? TIMEOUT_S_DEFAULT,
      idle_timeout: countIn(given, 'idle_timeout') ?? IDLE_TIMEOUT_S_DEFAULT,
    }
    checkLimits(limits)
    const app = await kept.app(by, appId)
    const body: KeptFn = {
      name,
      appId,
      image,
      memory: limits.memory,
      timeout: limits.timeout,
      idleTimeout: limits.idle_timeout,
      config: mergedConfig({}, configIn(given)),
      annotations: mergedAnnotations({}, mapIn(given, 'annotations')),
      isMade: false,
    }
    const added = await kept.add(
      KINDS.fn,
      { projectId: by.projectId, parent: appId, key: `${appId} ${name}`, body },
      'Fn with specified name already exists',
      () => deployFn(parts, by, app.body.name, body, image),
    )
    return viewOf(added, request)
  })

  server.get('/v2/fns/:id', async request =>
    viewOf(await kept.fn(await who(request), idIn(request)), request),
  )

  server.put('/v2/fns/:id', async request => {
    const by = await who(request)
    const fn = await kept.fn(by, idIn(request))
    const given = objectIn(request)
    const name = textIn(given, 'name')
    const appId = textIn(given, 'app_id')
    if (name && name !== fn.body.name) throw new FnError(409, 'Could not update - name is immutable')
    if (appId && appId !== fn.body.appId) throw new FnError(409, 'Could not update - app is immutable')
    const limits = {
      memory: countIn(given, 'memory') ?? fn.body.memory,
      timeout: countIn(given, 'timeout') ?? fn.body.timeout,
      idle_timeout: countIn(given, 'idle_timeout') ?? fn.body.idleTimeout,
    }
    checkLimits(limits)
    const changed: KeptFn = {
      ...fn.body,
      image: textIn(given, 'image') || fn.body.image,
      memory: limits.memory,
      timeout: limits.timeout,
      idleTimeout: limits.idle_timeout,
      config: mergedConfig(fn.body.config, configIn(given)),
      annotations: mergedAnnotations(fn.body.annotations, mapIn(given, 'annotations')),
    }
    const app = await kept.app(by, fn.body.appId)
    await deployFn(
      parts,
      by,
      app.body.name,
      changed,
      changed.image === fn.body.image ? undefined : changed.image,
    )
    const updated = await kept.records.update<KeptFn>(KINDS.fn, fn.id, () => changed)
    kept.fns.forget(fn.id)
    return viewOf(updated, request)
  })

  server.delete('/v2/fns/:id', async (request, reply) => {
    const by = await who(request)
    const fn = await kept.fn(by, idIn(request))
    const app = await kept.app(by, fn.body.appId)
    await parts.control.deleteFunction(by, ourName(app.body.name), ourName(fn.body.name)).catch(unlessMissing)
    const inApp = { projectId: by.projectId, parent: app.id }
    for (const each of await kept.list<KeptTrigger>(KINDS.trigger, inApp)) {
      if (each.body.fnId !== fn.id) continue
      await kept.records.delete(KINDS.trigger, each.id)
      kept.triggers.forget(`${app.body.name} ${each.body.source}`)
    }
    await kept.records.delete(KINDS.fn, fn.id)
    kept.fns.forget(fn.id)
    return reply.code(204).send()
  })
}

function viewOf({ id, body, createdAt, updatedAt }: DialectRecord<KeptFn>, request: FastifyRequest) {
  return {
    id,
    name: body.name,
    app_id: body.appId,
    image: body.image,
    memory: body.memory,
    timeout: body.timeout,
    idle_timeout: body.idleTimeout,
    config: body.config,
    annotations: {
      ...body.annotations,
      'fnproject.io/fn/invokeEndpoint': `${request.protocol}://${request.host}/invoke/${id}`,
    },
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
  }
}
