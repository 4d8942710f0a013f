import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DialectRecord } from '../../control/index.ts'
import type { Principal } from '../../core/index.ts'
import { FnError, objectIn } from './answers.ts'
import { idIn } from './apps.ts'
import { type Kept, type KeptTrigger, KINDS, triggerKey } from './kept.ts'
import { asked, pageOf } from './pages.ts'
import { checkSource, checkUrlName, mapIn, mergedAnnotations, textIn } from './rules.ts'

/** `/v2/triggers`: paths below `/t/<app>` that call a function. */
export function triggerRoutes(
  server: FastifyInstance,
  kept: Kept,
  who: (request: FastifyRequest) => Promise<Principal>,
): void {
  server.get('/v2/triggers', async request => {
    const by = await who(request)
    const appId = asked(request, 'app_id')
    const fnId = asked(request, 'fn_id')
    if (appId === undefined) throw new FnError(400, 'Missing AppID')
    const app = await kept.app(by, appId)
    const found = await kept.list<KeptTrigger>(KINDS.trigger, { projectId: by.projectId, parent: appId })
    const wanted = fnId === undefined ? found : found.filter(each => each.body.fnId === fnId)
    return pageOf(request, wanted, each => viewOf(each, app.body.name, request))
  })

  server.post('/v2/triggers', async request => {
    const by = await who(request)
    const given = objectIn(request)
    if (given['id']) throw new FnError(400, 'Cannot specify ID in create body')
    const appId = textIn(given, 'app_id')
    if (!appId) throw new FnError(400, 'Missing AppID')
    const fnId = textIn(given, 'fn_id')
    if (!fnId) throw new FnError(400, 'Missing FnID')
    const name = checkUrlName('Trigger', textIn(given, 'name'))
    if (textIn(given, 'type') !== 'http') throw new FnError(400, 'Trigger Type Not Supported')
    const source = checkSource(textIn(given, 'source'))
    const app = await kept.app(by, appId)
    const fn = await kept.fn(by, fnId)
    if (fn.body.appId !== appId) throw new FnError(400, 'Fn and Trigger must be of the same app')
    const others = await kept.list<KeptTrigger>(KINDS.trigger, { projectId: by.projectId, parent: appId })
    if (others.some(each => each.body.fnId === fnId && each.body.name === name))
      throw new FnError(409, 'Trigger with specified name already exists')
    const body: KeptTrigger = {
      name,
      appId,
      fnId,
      source,
      annotations: mergedAnnotations({}, mapIn(given, 'annotations')),
      isMade: false,
    }
    const added = await kept.add(
      KINDS.trigger,
      { projectId: by.projectId, parent: appId, key: triggerKey(appId, source), body },
      'Trigger with the same type and source exists on this app',
      async () => {},
    )
    kept.triggers.forget(`${app.body.name} ${source}`)
    return viewOf(added, app.body.name, request)
  })

  server.get('/v2/triggers/:id', async request => {
    const by = await who(request)
    const trigger = await kept.trigger(by, idIn(request))
    return viewOf(trigger, (await kept.app(by, trigger.body.appId)).body.name, request)
  })

  server.put('/v2/triggers/:id', async request => {
    const by = await who(request)
    const trigger = await kept.trigger(by, idIn(request))
    const app = await kept.app(by, trigger.body.appId)
    const given = objectIn(request)
    for (const [field, now] of [
      ['source', trigger.body.source],
      ['fn_id', trigger.body.fnId],
      ['app_id', trigger.body.appId],
      ['type', 'http'],
    ] as const) {
      const asks = textIn(given, field)
      if (asks && asks !== now) throw new FnError(409, `Could not update - ${field} is immutable`)
    }
    const name = textIn(given, 'name')
    const change = {
      name: name ? checkUrlName('Trigger', name) : trigger.body.name,
      annotations: mergedAnnotations(trigger.body.annotations, mapIn(given, 'annotations')),
    }
    const updated = await kept.records.update<KeptTrigger>(KINDS.trigger, trigger.id, body => ({
      ...body,
      ...change,
    }))
    return viewOf(updated, app.body.name, request)
  })

  server.delete('/v2/triggers/:id', async (request, reply) => {
    const by = await who(request)
    const trigger = await kept.trigger(by, idIn(request))
    const app = await kept.app(by, trigger.body.appId)
    await kept.records.delete(KINDS.trigger, trigger.id)
    kept.triggers.forget(`${app.body.name} ${trigger.body.source}`)
    return reply.code(204).send()
  })
}

function viewOf(
  { id, body, createdAt, updatedAt }: DialectRecord<KeptTrigger>,
  appName: string,
  request: FastifyRequest,
) {
  return {
    id,
    name: body.name,
    app_id: body.appId,
    fn_id: body.fnId,
    type: 'http',
    source: body.source,
    annotations: {
      ...body.annotations,
      'fnproject.io/trigger/httpEndpoint': `${request.protocol}://${request.host}/t/${appName}${body.source}`,
    },
    created_at: new Date(createdAt).toISOString(),
    updated_at: new Date(updatedAt).toISOString(),
  }
}
