import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { exactly, FunctionParams, named } from '../schemas/inputs.ts'
import { listOf, Nothing, ref } from '../schemas/model.ts'
import { AliasSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { aliasView } from '../views.ts'

const AliasParams = Type.Object({
  ...FunctionParams.properties,
  ...named('alias', 'The alias’s name.').properties,
})

export function aliasRoutes(server: FastifyInstance, { control }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}/aliases',
    id: 'listAliases',
    tag: 'aliases',
    summary: 'List aliases',
    params: FunctionParams,
    answers: { 200: listOf(AliasSchema) },
    handle: async ({ by, params }) => ({
      items: (await control.listAliases(by, params.app, params.function)).map(aliasView),
    }),
  })

  operation(server, {
    method: 'GET',
    path: '/apps/{app}/functions/{function}/aliases/{alias}',
    id: 'getAlias',
    tag: 'aliases',
    summary: 'Show an alias',
    params: AliasParams,
    answers: { 200: ref(AliasSchema, 'The alias.') },
    handle: async call => {
      const { app, function: name, alias } = call.params
      const found = await control.getAlias(call.by, app, name, alias)
      return tagged(call, found.revision, aliasView(found))
    },
  })

  operation(server, {
    method: 'PUT',
    path: '/apps/{app}/functions/{function}/aliases/{alias}',
    id: 'putAlias',
    tag: 'aliases',
    summary: 'Point an alias at one version, or at several by weight',
    description: 'Takes effect for the next call. Weights are per cent and sum to 100.',
    params: AliasParams,
    body: exactly(
      {
        targets: Type.Array(
          exactly({
            version: Type.Integer({ minimum: 1 }),
            weight: Type.Integer({ minimum: 0, maximum: 100 }),
          }),
          { minItems: 1, maxItems: 100 },
        ),
      },
      {
        examples: [
          {
            targets: [
              { version: 1, weight: 90 },
              { version: 2, weight: 10 },
            ],
          },
        ],
      },
    ),
    answers: { 200: ref(AliasSchema, 'The alias as it is now.') },
    errors: ['PRECONDITION_FAILED'],
    handle: async call => {
      const { app, function: name, alias } = call.params
      const expected = expectedRevision(call.request)
      const found = await control.putAlias(call.by, app, name, alias, call.body.targets, expected)
      return tagged(call, found.revision, aliasView(found))
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/apps/{app}/functions/{function}/aliases/{alias}',
    id: 'deleteAlias',
    tag: 'aliases',
    summary: 'Delete an alias',
    params: AliasParams,
    answers: { 204: Nothing },
    errors: ['CONFLICT', 'PRECONDITION_FAILED'],
    handle: ({ by, params, request }) =>
      control.deleteAlias(by, params.app, params.function, params.alias, expectedRevision(request)),
  })
}
