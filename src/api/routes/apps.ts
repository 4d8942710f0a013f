import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { AppParams, Config, Description, exactly, Paged } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { AppSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { appView, pageView } from '../views.ts'

export function appRoutes(server: FastifyInstance, { control }: ApiParts): void {
  operation(server, {
    method: 'POST',
    path: '/apps',
    id: 'createApp',
    tag: 'apps',
    summary: 'Create an app',
    description: 'Not needed before a deploy, which makes the app when it is new.',
    idempotent: true,
    body: exactly(
      { name: Type.String(), description: Type.Optional(Description), config: Type.Optional(Config) },
      { examples: [{ name: 'shop', config: { REGION: 'eu' } }] },
    ),
    answers: { 201: ref(AppSchema, 'The new app.') },
    errors: ['CONFLICT'],
    handle: async ({ by, body, reply }) => {
      const app = await control.createApp(by, body)
      reply.header('etag', `"${app.revision}"`).header('location', `/v1/apps/${encodeURIComponent(app.name)}`)
      return appView(app)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/apps',
    id: 'listApps',
    tag: 'apps',
    summary: 'List apps',
    query: Paged,
    answers: { 200: pageOf(AppSchema) },
    handle: async ({ by, query }) => pageView(await control.listApps(by, query), appView),
  })

  operation(server, {
    method: 'GET',
    path: '/apps/{app}',
    id: 'getApp',
    tag: 'apps',
    summary: 'Show an app',
    params: AppParams,
    answers: { 200: ref(AppSchema, 'The app.') },
    handle: async call => {
      const app = await control.getApp(call.by, call.params.app)
      return tagged(call, app.revision, appView(app))
    },
  })

  operation(server, {
    method: 'PATCH',
    path: '/apps/{app}',
    id: 'updateApp',
    tag: 'apps',
    summary: 'Change an app',
    description:
      'Fields that are not given stay. Versions that exist keep the configuration they were published with.',
    params: AppParams,
    body: exactly(
      { description: Type.Optional(Description), config: Type.Optional(Config) },
      { examples: [{ config: { REGION: 'us' } }] },
    ),
    answers: { 200: ref(AppSchema, 'The app as it is now.') },
    errors: ['PRECONDITION_FAILED'],
    handle: async call => {
      const app = await control.updateApp(call.by, call.params.app, call.body, expectedRevision(call.request))
      return tagged(call, app.revision, appView(app))
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/apps/{app}',
    id: 'deleteApp',
    tag: 'apps',
    summary: 'Delete an app',
    params: AppParams,
    query: exactly({ force: Type.Optional(Type.Boolean({ description: 'Together with its functions.' })) }),
    answers: { 204: Nothing },
    errors: ['CONFLICT', 'PRECONDITION_FAILED'],
    handle: ({ by, params, query, request }) => {
      const expected = expectedRevision(request)
      return control.deleteApp(by, params.app, {
        force: query.force ?? false,
        ...(expected !== undefined && { expected }),
      })
    },
  })
}
