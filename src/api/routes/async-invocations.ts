import type { FastifyInstance } from 'fastify'
import type { AsyncFilter } from '../../async/index.ts'
import type { Principal } from '../../core/index.ts'
import { answerHeaders } from '../../core/index.ts'
import { functionNamed } from '../function-named.ts'
import { type OperationCall, operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { AsyncInvocationSchema, AsyncStateSchema, ManySchema, QueueSchema } from '../schemas/async.ts'
import { InvocationSchema } from '../schemas/calls.ts'
import { exactly, FunctionParams, named, PageQuery } from '../schemas/inputs.ts'
import { listOf, pageOf, ref } from '../schemas/model.ts'
import { type Static, type TObject, Type } from '../schemas/type.ts'
import { asyncCallView, invocationView, msOf, pageView, queueView } from '../views.ts'

const WAIT_MS_MAX = 60_000

const Params = named('id', 'The call’s id, from the answer 202.')
const when = (description: string) => Type.Optional(Type.String({ format: 'date-time', description }))

const filterFields = {
  app: Type.Optional(Type.String({ description: 'Together with `function`.' })),
  function: Type.Optional(Type.String({ description: 'Together with `app`.' })),
  trigger: Type.Optional(Type.String({ description: 'What caused it: `http`, `invoke`, `schedule` …' })),
  triggerName: Type.Optional(Type.String()),
  orderingKey: Type.Optional(Type.String()),
  since: when('Only calls that were accepted then or later.'),
  until: when('Only calls that were accepted before.'),
}
const Filter = exactly(
  { ...filterFields, states: Type.Optional(Type.Array(AsyncStateSchema, { maxItems: 6 })) },
  { examples: [{ app: 'shop', function: 'thumbnail' }] },
)
type Filter = Static<typeof Filter>

/** Calls that outlive their caller: how they stand, their results, and what can be done about them. */
export function asyncInvocationRoutes(server: FastifyInstance, { async, table, telemetry }: ApiParts): void {
  const filterOf = (by: Principal, given: Filter): AsyncFilter => ({
    ...(given.app !== undefined || given.function !== undefined
      ? { functionId: functionNamed(table, by, given.app, given.function).id }
      : {}),
    trigger: given.trigger,
    triggerName: given.triggerName,
    orderingKey: given.orderingKey,
    states: given.states,
    acceptedSince: given.since === undefined ? undefined : msOf(given.since),
    acceptedUntil: given.until === undefined ? undefined : msOf(given.until),
  })

  operation(server, {
    method: 'GET',
    path: '/async-invocations',
    id: 'listAsyncInvocations',
    tag: 'calls',
    summary: 'List asynchronous calls, newest first',
    needs: 'read',
    query: exactly({ ...PageQuery, ...filterFields, state: Type.Optional(AsyncStateSchema) }),
    answers: { 200: pageOf(AsyncInvocationSchema) },
    handle: async ({ by, query }) => {
      const { limit, cursor, state, ...filter } = query
      const page = { ...(limit !== undefined && { limit }), ...(cursor !== undefined && { cursor }) }
      const wanted = filterOf(by, { ...filter, ...(state !== undefined && { states: [state] }) })
      return pageView(await async.list(by.projectId, wanted, page), asyncCallView)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/async-invocations/{id}',
    id: 'getAsyncInvocation',
    tag: 'calls',
    summary: 'Show an asynchronous call, or wait for its end',
    needs: 'read',
    params: Params,
    query: exactly({
      waitMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: WAIT_MS_MAX,
          description: 'Answer when it has ended, or after so many milliseconds.',
        }),
      ),
    }),
    answers: { 200: ref(AsyncInvocationSchema, 'The call as it stands.') },
    handle: async ({ by, params, query, reply }) => {
      if (query.waitMs === undefined) return asyncCallView(await async.get(by.projectId, params.id))
      const left = new AbortController()
      reply.raw.once('close', () => left.abort())
      return asyncCallView(await async.wait(by.projectId, params.id, query.waitMs, left.signal))
    },
  })

  operation(server, {
    method: 'GET',
    path: '/async-invocations/{id}/result',
    id: 'getAsyncResult',
    tag: 'calls',
    summary: 'What the function answered',
    description:
      'The body and the headers of the function’s answer; its status is in `Atelier-Result-Status`. 409 while there is none.',
    needs: 'read',
    params: Params,
    answersIn: '*/*',
    answers: { 200: Type.Unsafe<unknown>({ description: 'The answer’s body, of the answer’s own type.' }) },
    errors: ['CONFLICT'],
    handle: async ({ by, params, reply }) => {
      const { status, headers, body } = await async.result(by.projectId, params.id)
      for (const [name, value] of answerHeaders(headers))
        if (name !== 'content-length') reply.header(name, value)
      // What a function says must never be a page of the API's origin.
      reply.header('content-security-policy', 'sandbox').header('atelier-result-status', String(status))
      if (!reply.hasHeader('content-type')) reply.type('application/octet-stream')
      return reply.send(Buffer.from(body.buffer, body.byteOffset, body.byteLength))
    },
  })

  operation(server, {
    method: 'GET',
    path: '/async-invocations/{id}/attempts',
    id: 'listAttempts',
    tag: 'calls',
    summary: 'List the attempts of an asynchronous call, oldest first',
    needs: 'read',
    params: Params,
    answers: { 200: listOf(InvocationSchema) },
    handle: async ({ by, params }) => {
      const attempts = await telemetry.listAttempts(by.projectId, params.id)
      if (attempts.length === 0) await async.get(by.projectId, params.id) // is there such a call at all?
      return { items: attempts.map(invocationView) }
    },
  })

  operation(server, {
    method: 'POST',
    path: '/async-invocations/{id}/cancel',
    id: 'cancelAsyncInvocation',
    tag: 'calls',
    summary: 'Call an asynchronous call off',
    description: 'One that waits will not run; one that runs is cancelled. 409 when it has ended.',
    needs: 'invoke',
    params: Params,
    answers: { 200: ref(AsyncInvocationSchema, 'The call as it stands.') },
    errors: ['CONFLICT'],
    handle: async ({ by, params }) => asyncCallView(await async.cancel(by.projectId, params.id)),
  })

  operation(server, {
    method: 'POST',
    path: '/async-invocations/{id}/redrive',
    id: 'redriveAsyncInvocation',
    tag: 'calls',
    summary: 'Queue a dead letter again',
    description: 'With fresh attempts and age. 409 when it is none: only failed and expired calls are.',
    needs: 'invoke',
    params: Params,
    answers: { 200: ref(AsyncInvocationSchema, 'The call as it stands.') },
    errors: ['CONFLICT'],
    handle: async ({ by, params }) => {
      await async.redrive(by.projectId, { id: params.id })
      return asyncCallView(await async.get(by.projectId, params.id))
    },
  })

  /** What is done to all that match. */
  const many = (
    verb: 'cancel' | 'redrive' | 'forget',
    summary: string,
    description: string,
    run: (projectId: string, filter: AsyncFilter) => Promise<number>,
  ) =>
    operation(server, {
      method: 'POST',
      path: `/async-invocations/${verb}`,
      id: `${verb}AsyncInvocations`,
      tag: 'calls',
      summary,
      description,
      needs: verb === 'forget' ? 'write' : 'invoke',
      body: Filter,
      answers: { 200: ref(ManySchema, 'How many it was.') },
      handle: async ({ by, body }: OperationCall<Static<TObject>, Static<TObject>, Filter>) => ({
        count: await run(by.projectId, filterOf(by, body)),
      }),
    })
  many('cancel', 'Call off what waits', 'Every queued call that matches.', (projectId, filter) =>
    async.cancelMany(projectId, filter),
  )
  many('redrive', 'Queue dead letters again', 'Every failed or expired call that matches.', (id, filter) =>
    async.redrive(id, filter),
  )
  many(
    'forget',
    'Forget calls that have ended',
    'With their results. Every one that matches.',
    (id, filter) => async.forget(id, filter),
  )

  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}/queue',
    id: 'getQueue',
    tag: 'calls',
    summary: 'How the function’s queue stands',
    needs: 'read',
    params: FunctionParams,
    answers: { 200: ref(QueueSchema, 'Calls by how they stand.') },
    handle: async ({ by, params }) => {
      const { id } = functionNamed(table, by, params.app, params.function)
      return queueView(await async.queue(by.projectId, id), table.functions.get(id)?.async?.paused ?? false)
    },
  })
}
