import type { FastifyInstance } from 'fastify'
import type { TriggerInput, TriggerView } from '../../control/index.ts'
import { invalid } from '../input.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { Access, exactly, named, PageQuery } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { EventFormatName, TriggerConfig, TriggerKindName, TriggerSchema } from '../schemas/triggers.ts'
import { type TSchema, Type } from '../schemas/type.ts'
import { pageView, triggerView } from '../views.ts'

const texts = (description: string) =>
  Type.Array(Type.String({ maxLength: 256 }), { maxItems: 100, description })

const orNothing = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))

const Cors = exactly({
  origins: Type.Optional(texts('Exact origins, or `*`.')),
  methods: Type.Optional(texts('Methods that browsers may use.')),
  headers: Type.Optional(texts('Request headers that browsers may send.')),
  exposeHeaders: Type.Optional(texts('Answer headers that scripts may read.')),
  credentials: Type.Optional(Type.Boolean()),
  maxAgeS: Type.Optional(Type.Integer({ minimum: 0 })),
})

const changeable = {
  alias: Type.Optional(Type.String({ description: 'Alias or version number. Default `live`.' })),
  path: Type.Optional(
    Type.String({
      maxLength: 1024,
      description:
        'For `http`, as all down to `cors`: `/a/b` exact, `/a/{id}` with parameters, `/a/*` prefix.',
    }),
  ),
  host: Type.Optional(Type.String({ maxLength: 255, description: 'Host to match. Default: any.' })),
  methods: Type.Optional(texts('Methods to match. Default: any.')),
  stripPrefix: Type.Optional(
    Type.Boolean({ description: 'Whether the function sees the path without the prefix.' }),
  ),
  access: Type.Optional(Access),
  cors: Type.Optional(Cors),
  format: Type.Optional(EventFormatName),
  config: Type.Optional(TriggerConfig),
  paused: Type.Optional(Type.Boolean({ description: 'Take no events now. Not for `http`.' })),
}

/** `null` goes back to what holds where nothing is said. */
const unsettable = {
  host: orNothing(changeable.host),
  methods: orNothing(changeable.methods),
  access: orNothing(Access),
  cors: orNothing(Cors),
}

export const TriggerParams = named('trigger', 'The trigger’s name.')

export function triggerRoutes(server: FastifyInstance, { control, triggers }: ApiParts): void {
  operation(server, {
    method: 'POST',
    path: '/triggers',
    id: 'createTrigger',
    tag: 'triggers',
    summary: 'Create a trigger',
    description:
      'Without a `kind` a route of the router, which needs a `path`. Other kinds wait for events and need a `config`.',
    idempotent: true,
    body: exactly(
      {
        name: Type.String(),
        kind: Type.Optional(TriggerKindName),
        app: Type.String({ description: 'App of the function.' }),
        function: Type.String({ description: 'The function to call.' }),
        ...changeable,
      },
      {
        examples: [
          { name: 'thumbs', app: 'shop', function: 'thumbnail', path: '/thumbs/*', methods: ['POST'] },
          {
            name: 'nightly',
            kind: 'schedule',
            app: 'shop',
            function: 'report',
            config: { cron: '0 3 * * *', zone: 'Europe/Berlin' },
          },
        ],
      },
    ),
    answers: { 201: ref(TriggerSchema, 'The new trigger.') },
    errors: ['CONFLICT', 'NOT_FOUND'],
    handle: async ({ by, body, reply }) => {
      const trigger = await control.createTrigger(by, inputOf(body))
      reply
        .header('etag', `"${trigger.revision}"`)
        .header('location', `/v1/triggers/${encodeURIComponent(trigger.name)}`)
      return triggerView(trigger, triggers)
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
      kind: Type.Optional(TriggerKindName),
    }),
    answers: { 200: pageOf(TriggerSchema) },
    handle: async ({ by, query }) => {
      const { limit, cursor, ...filter } = query
      const page = { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) }
      return pageView(await control.listTriggers(by, filter, page), each => triggerView(each, triggers))
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
      return tagged(call, trigger.revision, triggerView(trigger, triggers))
    },
  })

  operation(server, {
    method: 'PATCH',
    path: '/triggers/{trigger}',
    id: 'updateTrigger',
    tag: 'triggers',
    summary: 'Change a trigger',
    params: TriggerParams,
    description:
      'What is left out stays. `null` takes `access`, `cors`, `host` or `methods` away, so that the function’s own access, no rules, any host or any method hold. For `config`, a JSON Merge Patch (RFC 7396): what it leaves out stays, secrets too, and `null` removes.',
    body: exactly(
      {
        app: Type.Optional(Type.String()),
        function: Type.Optional(Type.String()),
        ...changeable,
        ...unsettable,
      },
      {
        examples: [
          { methods: ['POST', 'PUT'] },
          { access: null, cors: null },
          { config: { zone: 'Europe/Paris' } },
        ],
      },
    ),
    answers: { 200: ref(TriggerSchema, 'The trigger as it is now.') },
    errors: ['CONFLICT', 'PRECONDITION_FAILED'],
    handle: async call => {
      const expected = expectedRevision(call.request)
      const trigger = await control.updateTrigger(call.by, call.params.trigger, call.body, expected)
      return tagged(call, trigger.revision, triggerView(trigger, triggers))
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

/** The body in the shape of its kind. Fields that belong to the other shape are the control plane's to refuse. */
function inputOf(body: {
  readonly kind?: TriggerView['kind']
  readonly name: string
  readonly app: string
  readonly function: string
  readonly path?: string
}): TriggerInput {
  const { kind, path, ...rest } = body
  if (kind !== undefined && kind !== 'http') return { ...body, kind }
  if (path === undefined) throw invalid([{ pointer: '/path', detail: 'is missing' }])
  return { ...rest, path }
}
