import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { exactly, named, Paged } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { SecretSchema } from '../schemas/nouns.ts'
import { Type } from '../schemas/type.ts'
import { pageView, secretView } from '../views.ts'

const SecretParams = named('secret', 'The secret’s name.')

export function secretRoutes(server: FastifyInstance, { control }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/secrets',
    id: 'listSecrets',
    tag: 'secrets',
    summary: 'List the names of secrets',
    query: Paged,
    answers: { 200: pageOf(SecretSchema) },
    handle: async ({ by, query }) => pageView(await control.listSecrets(by, query), secretView),
  })

  operation(server, {
    method: 'PUT',
    path: '/secrets/{secret}',
    id: 'putSecret',
    tag: 'secrets',
    summary: 'Store a secret',
    description:
      'Encrypted at rest, and never shown again. Instances that start from now on see the new value.',
    params: SecretParams,
    body: exactly({ value: Type.String({ maxLength: 65_536 }) }, { examples: [{ value: 's3cr3t' }] }),
    answers: { 200: ref(SecretSchema, 'The secret, without its value.') },
    handle: async ({ by, params, body }) =>
      secretView(await control.putSecret(by, params.secret, body.value)),
  })

  operation(server, {
    method: 'DELETE',
    path: '/secrets/{secret}',
    id: 'deleteSecret',
    tag: 'secrets',
    summary: 'Delete a secret',
    params: SecretParams,
    answers: { 204: Nothing },
    errors: ['CONFLICT'],
    handle: ({ by, params }) => control.deleteSecret(by, params.secret),
  })
}
