import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import { pageByKey } from '../paging.ts'
import { type ApiParts, kept } from '../parts.ts'
import { exactly, named, Paged } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { UserSchema } from '../schemas/server.ts'
import { Type } from '../schemas/type.ts'
import { pageView, userView } from '../views.ts'

const UserParams = named('user', 'The user’s name.')
const Password = Type.String({ maxLength: 1024 })

export function userRoutes(server: FastifyInstance, parts: ApiParts): void {
  const users = () => kept(parts, 'users')

  operation(server, {
    method: 'POST',
    path: '/users',
    id: 'createUser',
    tag: 'users',
    summary: 'Create a user',
    description: 'Give them a role in a project next: PUT /v1/projects/{project}/grants.',
    body: exactly(
      { name: Type.String(), password: Password },
      { examples: [{ name: 'maria', password: 'correct horse' }] },
    ),
    answers: { 201: ref(UserSchema, 'The new user.') },
    errors: ['CONFLICT'],
    handle: async ({ by, body, reply }) => {
      const user = await users().createUser(by, body)
      reply.header('location', `/v1/users/${encodeURIComponent(user.name)}`)
      return userView(user)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/users',
    id: 'listUsers',
    tag: 'users',
    summary: 'List users',
    query: Paged,
    answers: { 200: pageOf(UserSchema) },
    handle: async ({ by, query }) =>
      pageView(
        await pageByKey(
          query,
          (count, after) => users().listUsers(by, count, after),
          one => one.name,
        ),
        userView,
      ),
  })

  operation(server, {
    method: 'GET',
    path: '/users/{user}',
    id: 'getUser',
    tag: 'users',
    summary: 'Show a user',
    params: UserParams,
    answers: { 200: ref(UserSchema, 'The user.') },
    handle: async ({ by, params }) => userView(await users().getUser(by, params.user)),
  })

  operation(server, {
    method: 'DELETE',
    path: '/users/{user}',
    id: 'deleteUser',
    tag: 'users',
    summary: 'Delete a user',
    params: UserParams,
    answers: { 204: Nothing },
    errors: ['CONFLICT'],
    handle: ({ by, params }) => users().deleteUser(by, params.user),
  })

  operation(server, {
    method: 'PUT',
    path: '/users/{user}/password',
    id: 'setPassword',
    tag: 'users',
    summary: 'Set a user’s password',
    description: 'Users may set their own; it ends all their sessions.',
    params: UserParams,
    body: exactly({ password: Password }, { examples: [{ password: 'battery staple' }] }),
    answers: { 204: Nothing },
    handle: ({ by, params, body }) => users().setPassword(by, params.user, body.password),
  })
}
