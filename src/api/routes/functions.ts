import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { AsyncChangeSchema } from '../schemas/async.ts'
import { Access, Description, exactly, FunctionParams, PageQuery } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { FunctionSchema, RollbackResultSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { aliasView, functionView, pageView, versionView } from '../views.ts'

export function functionRoutes(server: FastifyInstance, { control, status }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/functions',
    id: 'listFunctions',
    tag: 'functions',
    summary: 'List functions',
    query: exactly({
      ...PageQuery,
      app: Type.Optional(Type.String({ description: 'Only those of this app.' })),
    }),
    answers: { 200: pageOf(FunctionSchema) },
    handle: async ({ by, query }) => {
      const { app, ...page } = query
      const { routerUrl } = status()
      const found = await control.listFunctions(by, app === undefined ? {} : { app }, page)
      return pageView(found, one => functionView(one, by, routerUrl))
    },
  })

  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}',
    id: 'getFunction',
    tag: 'functions',
    summary: 'Show a function',
    params: FunctionParams,
    answers: { 200: ref(FunctionSchema, 'The function.') },
    handle: async call => {
      const found = await control.getFunction(call.by, call.params.app, call.params.function)
      return tagged(call, found.revision, functionView(found, call.by, status().routerUrl))
    },
  })

  operation(server, {
    method: 'PATCH',
    path: '/apps/{app}/functions/{function}',
    id: 'updateFunction',
    tag: 'functions',
    summary: 'Change a function',
    description: 'What decides how it runs is part of a version: deploy to change that.',
    params: FunctionParams,
    body: exactly(
      {
        description: Type.Optional(Description),
        access: Type.Optional(Access),
        async: Type.Optional(AsyncChangeSchema),
      },
      { examples: [{ access: 'public', async: { retry: { attemptsMax: 5 }, paused: false } }] },
    ),
    answers: { 200: ref(FunctionSchema, 'The function as it is now.') },
    errors: ['PRECONDITION_FAILED'],
    handle: async call => {
      const { app, function: name } = call.params
      const found = await control.updateFunction(
        call.by,
        app,
        name,
        call.body,
        expectedRevision(call.request),
      )
      return tagged(call, found.revision, functionView(found, call.by, status().routerUrl))
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/apps/{app}/functions/{function}',
    id: 'deleteFunction',
    tag: 'functions',
    summary: 'Delete a function with its versions, aliases and triggers',
    params: FunctionParams,
    answers: { 204: Nothing },
    errors: ['PRECONDITION_FAILED'],
    handle: ({ by, params, request }) =>
      control.deleteFunction(by, params.app, params.function, expectedRevision(request)),
  })

  operation(server, {
    method: 'POST',
    path: '/apps/{app}/functions/{function}/rollback',
    id: 'rollback',
    tag: 'functions',
    summary: 'Make an earlier version live',
    description: 'Takes effect for the next call. Without a number: the version that was live before.',
    params: FunctionParams,
    idempotent: true,
    bodyOptional: true,
    body: exactly({ version: Type.Optional(Type.Integer({ minimum: 1 })) }, { examples: [{ version: 1 }] }),
    answers: { 200: ref(RollbackResultSchema, 'What is live now.') },
    errors: ['CONFLICT'],
    handle: async ({ by, params, body }) => {
      const { alias, version } = await control.rollback(by, params.app, params.function, body.version)
      return { alias: aliasView(alias), version: versionView(version) }
    },
  })
}
