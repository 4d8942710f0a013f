import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { tagged } from '../revision.ts'
import { FunctionParams, Paged } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { VersionSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { pageView, versionView } from '../views.ts'

const VersionParams = Type.Object({
  ...FunctionParams.properties,
  number: Type.Integer({ minimum: 1, description: 'The version’s number.' }),
})

export function versionRoutes(server: FastifyInstance, { control }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}/versions',
    id: 'listVersions',
    tag: 'versions',
    summary: 'List versions',
    params: FunctionParams,
    query: Paged,
    answers: { 200: pageOf(VersionSchema) },
    handle: async ({ by, params, query }) =>
      pageView(await control.listVersions(by, params.app, params.function, query), versionView),
  })

  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}/versions/{number}',
    id: 'getVersion',
    tag: 'versions',
    summary: 'Show a version',
    params: VersionParams,
    answers: { 200: ref(VersionSchema, 'The version.') },
    handle: async call => {
      const { app, function: name, number } = call.params
      const version = await control.getVersion(call.by, app, name, number)
      return tagged(call, version.id, versionView(version)) // it never changes
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/apps/{app}/functions/{function}/versions/{number}',
    id: 'deleteVersion',
    tag: 'versions',
    summary: 'Delete a version that no alias points to',
    params: VersionParams,
    answers: { 204: Nothing },
    errors: ['CONFLICT'],
    handle: ({ by, params }) => control.deleteVersion(by, params.app, params.function, params.number),
  })
}
