import type { FastifyInstance } from 'fastify'
import type { EventTriggerView } from '../../control/index.ts'
import { AtelierError, type Principal } from '../../core/index.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { exactly, named } from '../schemas/inputs.ts'
import { listOf, ref } from '../schemas/model.ts'
import {
  AcceptedEventSchema,
  RecordedRequestSchema,
  ReplayResultSchema,
  TriggerKindSchema,
  TriggerSchema,
} from '../schemas/triggers.ts'
import { Type } from '../schemas/type.ts'
import { msOf, recordedRequestView, triggerView } from '../views.ts'

const REQUESTS_MAX = 100

const Params = named('trigger', 'The trigger’s name.')

/** What is done with triggers that wait for events, beside making and changing them. */
export function triggerEventRoutes(
  server: FastifyInstance,
  { control, triggers, triggerKinds }: ApiParts,
): void {
  operation(server, {
    method: 'POST',
    path: '/triggers/{trigger}/fire',
    id: 'fireTrigger',
    tag: 'triggers',
    summary: 'Fire a trigger by hand',
    description:
      'Makes an event as the kind makes them, with the body (any JSON) as its data when there is one, and accepts it as a call. Works while the trigger is paused.',
    params: Params,
    idempotent: true,
    needs: 'invoke',
    body: Type.Optional(Type.Unknown({ description: 'The data of the event.', examples: [{ order: 7 }] })),
    answers: { 202: ref(AcceptedEventSchema, 'The call that it became.') },
    errors: ['TOO_MANY_REQUESTS', 'STORAGE_FULL'],
    handle: async ({ by, params, body }) => {
      const { id } = await eventTrigger(by, params.trigger)
      const data =
        body === undefined || body === null
          ? undefined
          : { contentType: 'application/json', body: Buffer.from(JSON.stringify(body)) }
      return triggers.fire(id, data)
    },
  })

  for (const [verb, paused] of [
    ['pause', true],
    ['resume', false],
  ] as const)
    operation(server, {
      method: 'POST',
      path: `/triggers/{trigger}/${verb}`,
      id: `${verb}Trigger`,
      tag: 'triggers',
      summary: paused ? 'Let a trigger take no events' : 'Let a trigger take events again',
      params: Params,
      answers: { 200: ref(TriggerSchema, 'The trigger as it is now.') },
      errors: ['CONFLICT', 'PRECONDITION_FAILED'],
      handle: async call => {
        await eventTrigger(call.by, call.params.trigger)
        const expected = expectedRevision(call.request)
        const trigger = await control.updateTrigger(call.by, call.params.trigger, { paused }, expected)
        return tagged(call, trigger.revision, triggerView(trigger, triggers))
      },
    })

  operation(server, {
    method: 'POST',
    path: '/triggers/{trigger}/rotate',
    id: 'rotateTrigger',
    tag: 'triggers',
    summary: 'Give a trigger a new secret URL',
    params: Params,
    bodyOptional: true,
    body: exactly(
      {
        graceMs: Type.Optional(
          Type.Integer({ minimum: 0, description: 'How long the old URL works still. Default 0.' }),
        ),
      },
      { examples: [{ graceMs: 86_400_000 }] },
    ),
    answers: { 200: ref(TriggerSchema, 'The trigger with its new URL.') },
    errors: ['CONFLICT'],
    handle: async call => {
      const trigger = await control.rotateTrigger(call.by, call.params.trigger, call.body.graceMs ?? 0)
      return tagged(call, trigger.revision, triggerView(trigger, triggers))
    },
  })

  operation(server, {
    method: 'POST',
    path: '/triggers/{trigger}/seek',
    id: 'seekTrigger',
    tag: 'triggers',
    summary: 'Let a trigger read again, or skip, what its source keeps',
    params: Params,
    needs: 'write',
    body: exactly(
      {
        position: Type.Optional(Type.Integer({ minimum: 0, description: 'Go on after this position.' })),
        at: Type.Optional(
          Type.String({
            format: 'date-time',
            description: 'Go on with the first event at or after this time.',
          }),
        ),
      },
      { examples: [{ at: '2026-11-02T00:00:00Z' }] },
    ),
    answers: { 200: ref(TriggerSchema, 'The trigger as it is now.') },
    errors: ['CONFLICT'],
    handle: async call => {
      const { position, at } = call.body
      const trigger = await eventTrigger(call.by, call.params.trigger)
      if ((position === undefined) === (at === undefined))
        throw new AtelierError('INVALID_INPUT', 'Give one of position and at.', {
          errors: [{ pointer: '', detail: 'needs one of position and at' }],
        })
      await triggers.seek(trigger.id, position === undefined ? { at: msOf(at!) } : { position })
      return triggerView(trigger, triggers)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/triggers/{trigger}/requests',
    id: 'listTriggerRequests',
    tag: 'triggers',
    summary: 'Show the last requests that came to a trigger’s URL',
    params: Params,
    needs: 'write', // they hold what others sent
    query: exactly({
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: REQUESTS_MAX, description: 'At most this many. Default 20.' }),
      ),
    }),
    answers: { 200: listOf(RecordedRequestSchema) },
    errors: ['CONFLICT'],
    handle: async ({ by, params, query }) => {
      const { id } = await eventTrigger(by, params.trigger)
      return { items: (await triggers.requests(id, query.limit ?? 20)).map(recordedRequestView) }
    },
  })

  operation(server, {
    method: 'POST',
    path: '/triggers/{trigger}/requests/{request}/replay',
    id: 'replayTriggerRequest',
    tag: 'triggers',
    summary: 'Handle a recorded request once more',
    params: Type.Object({
      ...Params.properties,
      request: Type.String({ minLength: 1, maxLength: 100, description: 'The recorded request’s id.' }),
    }),
    idempotent: true,
    needs: 'write',
    answers: { 202: ref(ReplayResultSchema, 'The calls that it became.') },
    errors: ['CONFLICT'],
    handle: async ({ by, params }) => {
      const { id } = await eventTrigger(by, params.trigger)
      return { calls: await triggers.replay(id, params.request) }
    },
  })

  operation(server, {
    method: 'GET',
    path: '/trigger-kinds',
    id: 'listTriggerKinds',
    tag: 'triggers',
    summary: 'Show the kinds of event triggers, and what each wants to know',
    answers: { 200: listOf(TriggerKindSchema) },
    handle: async () => {
      const loaded = await Promise.all(triggerKinds.names.map(name => triggerKinds.load(name)))
      return {
        items: loaded.map(({ kind, summary, hasUrl, secretFields, configSchema }) => {
          const { examples = [], ...schema } = configSchema as { readonly examples?: readonly object[] }
          return { kind, summary, hasUrl, secretFields, schema, examples }
        }),
      }
    },
  })

  /** The event trigger of this name in the caller's project. */
  async function eventTrigger(by: Principal, name: string): Promise<EventTriggerView> {
    const trigger = await control.getTrigger(by, name)
    if (trigger.kind !== 'http') return trigger
    throw new AtelierError(
      'CONFLICT',
      `Trigger "${name}" is a route: it waits for requests, at ${trigger.url}, and for no events.`,
    )
  }
}
