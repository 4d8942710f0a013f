import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { InvocationSchema, InvocationStatusSchema, LogLineSchema } from '../schemas/calls.ts'
import { exactly, named, PageQuery } from '../schemas/inputs.ts'
import { listOf, pageOf, ref } from '../schemas/model.ts'
import { Type } from '../schemas/type.ts'
import { invocationView, logView, msOf, pageView } from '../views.ts'

const InvocationParams = named(
  'id',
  'The call’s id, as the answer’s header `Atelier-Invocation-Id` shows it.',
)
const when = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))

export function invocationRoutes(server: FastifyInstance, { telemetry }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/invocations',
    id: 'listInvocations',
    tag: 'calls',
    summary: 'List calls, newest first',
    needs: 'read',
    query: exactly({
      ...PageQuery,
      app: Type.Optional(Type.String()),
      function: Type.Optional(Type.String({ description: 'Only together with `app`.' })),
      version: Type.Optional(Type.Integer({ minimum: 1 })),
      trigger: Type.Optional(Type.String({ description: 'What caused it: `http`, `invoke`, `schedule` …' })),
      triggerName: Type.Optional(Type.String({ description: 'Only calls that this trigger caused.' })),
      status: Type.Optional(InvocationStatusSchema),
      since: when('Only calls that came then or later.'),
      until: when('Only calls that came before.'),
    }),
    answers: { 200: pageOf(InvocationSchema) },
    handle: async ({ by, query }) => {
      if (query.function !== undefined && query.app === undefined)
        throw new AtelierError('INVALID_INPUT', 'A function is named together with its app: add "app".', {
          errors: [{ pointer: 'app', detail: 'is missing' }],
        })
      const filter = {
        ...(query.app !== undefined && { appName: query.app }),
        ...(query.function !== undefined && { functionName: query.function }),
        ...(query.version !== undefined && { version: query.version }),
        ...(query.trigger !== undefined && { trigger: query.trigger }),
        ...(query.triggerName !== undefined && { triggerName: query.triggerName }),
        ...(query.status !== undefined && { status: query.status }),
        ...(query.since !== undefined && { sinceMs: msOf(query.since) }),
        ...(query.until !== undefined && { untilMs: msOf(query.until) }),
      }
      const page = {
        ...(query.limit !== undefined && { limit: query.limit }),
        ...(query.cursor !== undefined && { cursor: query.cursor }),
      }
      return pageView(await telemetry.listInvocations(by.projectId, filter, page), invocationView)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/invocations/{id}',
    id: 'getInvocation',
    tag: 'calls',
    summary: 'Show a call',
    needs: 'read',
    params: InvocationParams,
    answers: { 200: ref(InvocationSchema, 'The record.') },
    handle: async ({ by, params }) => invocationView(await telemetry.getInvocation(by.projectId, params.id)),
  })

  operation(server, {
    method: 'GET',
    path: '/invocations/{id}/logs',
    id: 'listInvocationLogs',
    tag: 'logs',
    summary: 'What a call wrote',
    needs: 'read',
    params: InvocationParams,
    query: exactly({
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, description: 'Default 1000.' })),
    }),
    answers: { 200: listOf(LogLineSchema) },
    handle: async ({ by, params, query }) => {
      const lines = await telemetry.listLogs(by.projectId, { invocationId: params.id }, query.limit ?? 1000)
      if (lines.length === 0) await telemetry.getInvocation(by.projectId, params.id)
      return { items: lines.map(logView) }
    },
  })
}
