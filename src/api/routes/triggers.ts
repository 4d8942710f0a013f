import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { Access, exactly, named, PageQuery } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { TriggerSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { pageView, triggerView } from '../views.ts'

const texts = (description: string) =>
  Type.Array(Type.String({ maxLength: 256 }), { maxItems: 100, description })

const Cors = exactly({
  origins: Type.Optional(texts('Exact origins, or `*`.')),
  methods: Type.Optional(texts('Methods that browsers may use.')),
  headers: Type.Optional(texts('Request headers that browsers may send.')),
  exposeHeaders: Type.Optional(texts('Answer headers that scripts may read.')),
  credentials: Type.Optional(Type.Boolean()),
  maxAgeS: Type.Optional(Type.Integer({ minimum: 0 })),
})

const changeable = {
  app: Type.String({ description: 'App of the function.' }),
  function: Type.String({ description: 'The function to call.' }),
  path: Type.String({
    maxLength: 1024,
    description: '`/a/b` exact, `/a/{id}` with parameters, `/a/*` prefix.',
  }),
  alias: Type.Optional(Type.String({ description: 'Alias or version number. Default `live`.' })),
  host: Type.Optional(Type.String({ maxLength: 255, description: 'Host to match. Default: any.' })),
  methods: Type.Optional(texts('Methods to match. Default: any.')),
  stripPrefix: Type.Optional(
    Type.Boolean({ description: 'Whether the function sees the path without the prefix.' }),
  ),
  access: Type.Optional(Access),
  cors: Type.Optional(Cors),
}

const TriggerParams = named('trigger', 'The trigger’s name.')

export function triggerRoutes(server: FastifyInstance, { control }: ApiParts): void {
  operation(server, {
    method: 'POST',
    path: '/triggers',
    id: 'createTrigger',
    tag: 'triggers',
    summary: 'Create an HTTP trigger',
    idempotent: true,
    body: exactly(
      { name: Type.String(), ...changeable },
      {
        examples: [
          { name: 'thumbs', app: 'shop', function: 'thumbnail', path: '/thumbs/*', methods: ['POST'] },
        ],
      },
    ),
    answers: { 201: ref(TriggerSchema, 'The new trigger.') },
    errors: ['CONFLICT', 'NOT_FOUND'],
    handle: async ({ by, body, reply }) => {
      const trigger = await control.createTrigger(by, body)
      reply
        .header('etag', `"${trigger.revision}"`)
        .header('location', `/v1/triggers/${encodeURIComponent(trigger.name)}`)
      return triggerView(trigger)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/triggers',
    id: 'listTriggers',
    tag: 'triggers',
    summary: 'List triggers',
    query: exactly({
      ...PageQuery,
      app: Type.Optional(Type.String()),
      function: Type.Optional(Type.String()),
    }),
    answers: { 200: pageOf(TriggerSchema) },
    handle: async ({ by, query }) => {
      const { limit, cursor, ...filter } = query
      const page = { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) }
      return pageView(await control.listTriggers(by, filter, page), triggerView)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/triggers/{trigger}',
    id: 'getTrigger',
    tag: 'triggers',
    summary: 'Show a trigger',
    params: TriggerParams,
    answers: { 200: ref(TriggerSchema, 'The trigger.') },
    handle: async call => {
      const trigger = await control.getTrigger(call.by, call.params.trigger)
      return tagged(call, trigger.revision, triggerView(trigger))
    },
  })

  operation(server, {
    method: 'PATCH',
    path: '/triggers/{trigger}',
    id: 'updateTrigger',
    tag: 'triggers',
    summary: 'Change a trigger',
    params: TriggerParams,
    body: Type.Partial(exactly(changeable), {
      additionalProperties: false,
      examples: [{ methods: ['POST', 'PUT'] }],
    }),
    answers: { 200: ref(TriggerSchema, 'The trigger as it is now.') },
    errors: ['CONFLICT', 'PRECONDITION_FAILED'],
    handle: async call => {
      const expected = expectedRevision(call.request)
      const trigger = await control.updateTrigger(call.by, call.params.trigger, call.body, expected)
      return tagged(call, trigger.revision, triggerView(trigger))
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/triggers/{trigger}',
    id: 'deleteTrigger',
    tag: 'triggers',
    summary: 'Delete a trigger',
    params: TriggerParams,
    answers: { 204: Nothing },
    errors: ['PRECONDITION_FAILED'],
    handle: ({ by, params, request }) => control.deleteTrigger(by, params.trigger, expectedRevision(request)),
  })
}
