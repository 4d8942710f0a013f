import { AtelierError } from '../../core/index.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import type { KeptJob } from './job-rules.ts'
import { aliasKey, type Kept, type KeptAlias, type KeptWebhook, KINDS } from './kept.ts'
import { attributesIn, NAME, READ_ONLY } from './reading.ts'
import type { AddRoute } from './routes.ts'
import { aliasView } from './views.ts'

const FIELDS = {
  id: { kind: 'ignored' },
  name: NAME,
  description: NAME,
  function_id: { kind: 'uuid' },
  function_version: { kind: 'int', min: 0 },
  project_id: READ_ONLY,
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
} as const

/** `/v1/aliases` */
export function aliasRoutes(add: AddRoute, kept: Kept): void {
  add({ method: 'POST', path: '/v1/aliases', status: 201 }, async ({ caller, request }) => {
    const given = attributesIn(request, 'body', FIELDS)
    const { name, function_id: functionId, function_version: functionVersion = 0 } = given
    if (!name || functionId === undefined)
      throw new QinlingError(400, "Required param is missing. Required: {'name', 'function_id'}")
    await needTarget(caller, functionId, functionVersion)
    await needFree(caller.projectId, functionId, functionVersion, undefined)
    const body: KeptAlias = { name, description: given.description ?? null, functionId, functionVersion }
    try {
      return aliasView(
        await kept.add(KINDS.alias, {
          projectId: caller.projectId,
          key: aliasKey(caller.projectId, name),
          body,
        }),
      )
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'CONFLICT') throw duplicate('name')
      throw error
    }
  })

  add(
    { method: 'GET', path: '/v1/aliases', query: ['all_projects', 'project_id'] },
    async ({ caller, query }) => {
      const found = await kept.listed<KeptAlias>(caller, KINDS.alias, query)
      return { function_aliases: found.map(aliasView) }
    },
  )

  add({ method: 'GET', path: '/v1/aliases/:name' }, async ({ caller, param }) =>
    aliasView(await kept.alias(caller, param('name'))),
  )

  add({ method: 'PUT', path: '/v1/aliases/:name' }, async ({ caller, request, param }) => {
    const given = attributesIn(request, 'body', FIELDS)
    const alias = await kept.alias(caller, param('name'))
    const functionId = given.function_id ?? alias.body.functionId
    const functionVersion = given.function_version ?? alias.body.functionVersion
    if (functionId !== alias.body.functionId || functionVersion !== alias.body.functionVersion) {
      await needTarget(caller, functionId, functionVersion)
      await needFree(alias.projectId, functionId, functionVersion, alias.id)
    }
    const { description } = given
    return aliasView(
      await kept.change<KeptAlias>(KINDS.alias, alias, body => ({
        ...body,
        functionId,
        functionVersion,
        ...(description !== undefined && { description }),
      })),
    )
  })

  add({ method: 'DELETE', path: '/v1/aliases/:name', status: 204 }, async ({ caller, param }) => {
    const alias = await kept.alias(caller, param('name'))
    const isOfThis = (each: { readonly functionAlias: string | null }) =>
      each.functionAlias === alias.body.name
    const { projectId } = alias
    const jobs = await kept.all<KeptJob>(KINDS.job, { projectId })
    if (jobs.some(({ body }) => isOfThis(body) && (body.status === 'running' || body.status === 'paused')))
      throw new QinlingError(403, 'The function alias is still associated with running job(s).')
    const webhooks = await kept.all<KeptWebhook>(KINDS.webhook, { projectId })
    if (webhooks.some(({ body }) => isOfThis(body)))
      throw new QinlingError(403, 'The function alias is still associated with webhook(s).')
    await kept.records.delete(KINDS.alias, alias.id)
  })

  async function needTarget(caller: Caller, functionId: string, version: number): Promise<void> {
    await kept.function(caller, functionId)
    if (version > 0) await kept.version(functionId, version)
  }

  /** One alias for a version in a project. */
  async function needFree(
    projectId: string,
    functionId: string,
    version: number,
    but: string | undefined,
  ): Promise<void> {
    const others = await kept.all<KeptAlias>(KINDS.alias, { projectId })
    const taken = others.some(
      ({ id, body }) => id !== but && body.functionId === functionId && body.functionVersion === version,
    )
    if (taken) throw duplicate('function_id', 'function_version')
  }
}

function duplicate(...fields: readonly string[]): QinlingError {
  const all = ['project_id', ...fields].map(each => `'${each}'`).join(', ')
  return new QinlingError(400, `Duplicate entry for function_aliases: [${all}]`)
}
