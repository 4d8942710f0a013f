import type { FastifyInstance } from 'fastify'
import type { PersonChange } from '../../identity/index.ts'
import { callerOf } from '../caller.ts'
import { Fields, queryFlag, queryText } from '../input.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection, DOMAIN, projectView, userView } from '../views.ts'
import { needOurDomain } from './domains.ts'
import { noContent } from './tokens.ts'

interface UserPath {
  readonly Params: { readonly user: string }
}

export function userRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { directory } = parts.identity

  server.get('/v3/users', async request => {
    const by = callerOf(request)
    const { query } = request
    const name = queryText(query, 'name')
    const enabled = queryFlag(query, 'enabled')
    const found = await directory.listPeople(by, {
      ...(name !== undefined && { name }),
      ...(enabled !== undefined && { enabled }),
    })
    const isElsewhere = (queryText(query, 'domain_id') ?? DOMAIN.id) !== DOMAIN.id
    const root = rootOf(request, parts)
    const users = isElsewhere ? [] : found.map(each => userView(root, each))
    return collection('users', users, selfOf(request, parts))
  })

  server.post('/v3/users', async (request, reply) => {
    const fields = Fields.of(request.body, 'user')
    const by = callerOf(request)
    const person = await directory.createPerson(by, { ...changeOf(fields), name: fields.text('name') })
    reply.code(201)
    return { user: userView(rootOf(request, parts), person) }
  })

  server.get<UserPath>('/v3/users/:user', async request => ({
    user: userView(rootOf(request, parts), await directory.getPerson(callerOf(request), request.params.user)),
  }))

  server.patch<UserPath>('/v3/users/:user', async request => {
    const change = changeOf(Fields.of(request.body, 'user'))
    const person = await directory.updatePerson(callerOf(request), request.params.user, change)
    return { user: userView(rootOf(request, parts), person) }
  })

  server.delete<UserPath>('/v3/users/:user', async (request, reply) => {
    await directory.deletePerson(callerOf(request), request.params.user)
    return noContent(reply)
  })

  // Whoever knows the password may change it: it is asked for instead of a token.
  server.post<UserPath>(
    '/v3/users/:user/password',
    { config: { anonymous: true } },
    async (request, reply) => {
      const fields = Fields.of(request.body, 'user')
      await directory.changePassword({
        userId: request.params.user,
        original: fields.text('original_password'),
        password: fields.text('password'),
        client: request.ip,
      })
      return noContent(reply)
    },
  )

  server.get<UserPath>('/v3/users/:user/projects', async request => {
    const places = await directory.placesOf(callerOf(request), request.params.user)
    const root = rootOf(request, parts)
    return collection(
      'projects',
      places.map(each => projectView(root, each)),
      selfOf(request, parts),
    )
  })

  // There are none, and clients ask.
  server.get<UserPath>('/v3/users/:user/groups', async request => {
    await directory.getPerson(callerOf(request), request.params.user)
    return collection('groups', [], selfOf(request, parts))
  })
}

function changeOf(fields: Fields): PersonChange {
  needOurDomain(fields)
  fields.refuse(['options', 'federated'])
  const name = fields.textIfAny('name')
  const password = fields.textOrNull('password')
  const enabled = fields.flagIfAny('enabled')
  const description = fields.textOrNull('description')
  const email = fields.textOrNull('email')
  const defaultProjectId = fields.textOrNull('default_project_id')
  return {
    ...(name !== undefined && { name }),
    ...(password !== undefined && { password }),
    ...(enabled !== undefined && { enabled }),
    ...(description !== undefined && { description }),
    ...(email !== undefined && { email }),
    ...(defaultProjectId !== undefined && { defaultProjectId }),
  }
}
