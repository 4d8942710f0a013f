import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { DialectRecord } from '../../control/index.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { chosen, inputOf } from './executions.ts'
import { multipartIn } from './forms.ts'
import {
  aliasKey,
  type Kept,
  type KeptAlias,
  type KeptFunction,
  type KeptWebhook,
  KINDS,
  missing,
} from './kept.ts'
import { attributesIn, IGNORED, mediaType, NAME, READ_ONLY } from './reading.ts'
import type { AddRoute } from './routes.ts'
import type { Runs } from './runs.ts'
import { webhookView } from './views.ts'

const FIELDS = {
  id: IGNORED,
  function_id: { kind: 'uuid' },
  function_alias: NAME,
  function_version: { kind: 'int', min: 0 },
  description: NAME,
  project_id: READ_ONLY,
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
  webhook_url: READ_ONLY,
} as const

/** What anybody may ask without a token. */
export const INVOKE_PATH = /^\/v1\/webhooks\/[a-f0-9-]+\/invoke\/?$/

/** `/v1/webhooks`. `endpoint`: where this dialect is reached. */
export function webhookRoutes(
  add: AddRoute,
  kept: Kept,
  endpoint: (request: FastifyRequest) => string,
): void {
  const own = (caller: Caller, id: string) => kept.own<KeptWebhook>(caller, KINDS.webhook, 'Webhook', id)

  add({ method: 'POST', path: '/v1/webhooks', status: 201 }, async ({ caller, request }) => {
    const given = attributesIn(request, 'webhook', FIELDS)
    const body: KeptWebhook = {
      ...(await target(caller, given)),
      description: given.description ?? null,
    }
    return webhookView(
      await kept.add(KINDS.webhook, { projectId: caller.projectId, body }),
      endpoint(request),
    )
  })

  add(
    { method: 'GET', path: '/v1/webhooks', query: ['all_projects', 'project_id'] },
    async ({ caller, query, request }) => {
      const found = await kept.listed<KeptWebhook>(caller, KINDS.webhook, query)
      return { webhooks: found.map(each => webhookView(each, endpoint(request))) }
    },
  )

  add({ method: 'GET', path: '/v1/webhooks/:id' }, async ({ caller, id, request }) =>
    webhookView(await own(caller, id()), endpoint(request)),
  )

  add({ method: 'PUT', path: '/v1/webhooks/:id' }, async ({ caller, id, request }) => {
    const given = attributesIn(request, 'webhook', FIELDS)
    const webhook = await own(caller, id())
    if (webhook.projectId !== caller.projectId) throw missing('Webhook', 'id', id())
    const isMoved =
      given.function_alias !== undefined ||
      given.function_id !== undefined ||
      given.function_version !== undefined
    const functionId = given.function_id ?? webhook.body.functionId
    const moved = isMoved
      ? await target(caller, { ...given, ...(functionId !== null && { function_id: functionId }) })
      : {}
    const changed = await kept.change<KeptWebhook>(KINDS.webhook, webhook, body => ({
      ...body,
      ...moved,
      ...(given.description !== undefined && { description: given.description }),
    }))
    return webhookView(changed, endpoint(request))
  })

  add({ method: 'DELETE', path: '/v1/webhooks/:id', status: 204 }, async ({ caller, id }) => {
    const webhook = await own(caller, id())
    await kept.records.delete(KINDS.webhook, webhook.id)
  })

  /** What a webhook is to call, which must be there, in the caller's own project. */
  async function target(
    caller: Caller,
    given: {
      readonly function_id?: string
      readonly function_version?: number
      readonly function_alias?: string
    },
  ): Promise<Pick<KeptWebhook, 'functionId' | 'functionAlias' | 'functionVersion'>> {
    const { found, version, alias } = await chosen(kept, { ...caller, seesAll: false }, given)
    if (version > 0) await kept.version(found.id, version)
    return alias === null
      ? { functionId: found.id, functionAlias: null, functionVersion: version }
      : { functionId: null, functionAlias: alias, functionVersion: null }
  }
}

/** `POST /v1/webhooks/<id>/invoke`: anybody who knows the address. */
export function invokeRoute(server: FastifyInstance, kept: Kept, runs: Runs): void {
  for (const url of ['/v1/webhooks/:id/invoke', '/v1/webhooks/:id/invoke/'])
    server.post(url, async (request, reply) => {
      const { id } = request.params as { readonly id: string }
      const webhook = await kept.records.get<KeptWebhook>(KINDS.webhook, id)
      if (!webhook) throw missing('Webhook', 'id', id)
      const { found, version, alias } = await calledBy(kept, webhook)
      const execution = await runs.start({
        found,
        version,
        alias,
        description: `Created by Webhook ${webhook.id}`,
        sync: false,
        input: inputOf(JSON.stringify(await argumentsIn(request))),
        projectId: webhook.projectId,
      })
      return reply.code(202).type('application/json').send({ execution_id: execution.id })
    })
}

async function calledBy(kept: Kept, { projectId, body }: DialectRecord<KeptWebhook>) {
  const { records } = kept
  const alias =
    body.functionAlias === null
      ? undefined
      : await records.byKey<KeptAlias>(KINDS.alias, aliasKey(projectId, body.functionAlias))
  if (body.functionAlias !== null && !alias) throw missing('FunctionAlias', 'name', body.functionAlias)
  const functionId = alias?.body.functionId ?? body.functionId ?? ''
  const found = await records.get<KeptFunction>(KINDS.function, functionId)
  if (!found) throw missing('Function', 'id', functionId)
  return {
    found,
    version: alias?.body.functionVersion ?? body.functionVersion ?? 0,
    alias: body.functionAlias,
  }
}

/** All parameters of a request, as named arguments: those of the query, of a form, and of a JSON object. */
async function argumentsIn(request: FastifyRequest): Promise<Readonly<Record<string, unknown>>> {
  const query = Object.fromEntries(new URLSearchParams(request.url.split('?')[1] ?? ''))
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const type = mediaType(request)
  if (type === 'application/x-www-form-urlencoded')
    return { ...query, ...Object.fromEntries(new URLSearchParams(bytes.toString())) }
  if (type === 'multipart/form-data') {
    const fields = [...(await multipartIn(request))].filter(([, value]) => typeof value === 'string')
    return { ...query, ...Object.fromEntries(fields) }
  }
  if (type !== 'application/json' || bytes.length === 0) return query
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    throw new QinlingError(400, 'Request is not in valid JSON format')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return query
  return { ...query, ...value }
}
