import type { FastifyInstance } from 'fastify'
import { tokenOf } from '../authentication.ts'
import { operation } from '../operation.ts'
import { type ApiParts, kept } from '../parts.ts'
import { exactly } from '../schemas/inputs.ts'
import { Nothing, ref } from '../schemas/model.ts'
import { TokenSchema, WhoamiSchema } from '../schemas/server.ts'
import { Type } from '../schemas/type.ts'
import { time } from '../views.ts'

export function tokenRoutes(server: FastifyInstance, parts: ApiParts): void {
  operation(server, {
    method: 'POST',
    path: '/tokens',
    id: 'createToken',
    tag: 'tokens',
    summary: 'Log in',
    description:
      'A token for one user in one project. Too many wrong passwords in a row are answered with 429.',
    anonymous: true,
    body: exactly(
      {
        user: Type.String({ maxLength: 100 }),
        password: Type.String({ maxLength: 1024 }),
        project: Type.Optional(
          Type.String({ maxLength: 100, description: 'Default: one that the user has a role in.' }),
        ),
        ttlMs: Type.Optional(
          Type.Integer({ minimum: 60_000, description: 'Lifetime in milliseconds. Default 24 hours.' }),
        ),
      },
      { examples: [{ user: 'admin', password: 'correct horse', project: 'default' }] },
    ),
    answers: { 201: ref(TokenSchema, 'The token; it is shown this once.') },
    errors: ['UNAUTHENTICATED', 'TOO_MANY_REQUESTS'],
    handle: async ({ body, request }) => {
      const { token, principal } = await kept(parts, 'sessions').login({ ...body, client: request.ip })
      return {
        token,
        expiresAt: time(principal.expiresAt),
        user: principal.userName,
        project: principal.projectName,
        roles: principal.roles,
      }
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/tokens/current',
    id: 'revokeToken',
    tag: 'tokens',
    summary: 'Log out',
    answers: { 204: Nothing },
    handle: async ({ request }) => {
      const token = tokenOf(request)
      if (token !== undefined) await kept(parts, 'sessions').revoke(token)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/whoami',
    id: 'whoami',
    tag: 'tokens',
    summary: 'Who the token stands for',
    answers: { 200: ref(WhoamiSchema, 'User, project and roles.') },
    handle: async ({ by }) => ({
      user: by.userName,
      userId: by.userId,
      project: by.projectName,
      projectId: by.projectId,
      roles: by.roles,
      expiresAt: time(by.expiresAt),
    }),
  })
}
