import type { FastifyInstance } from 'fastify'
import { AtelierError, noSuch } from '../../core/index.ts'
import type { NewCredential, StoredAccessRule } from '../../identity/index.ts'
import { callerOf } from '../caller.ts'
import { Fields, queryText, rolesOf } from '../input.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { accessRuleView, collection, credentialView } from '../views.ts'
import { noContent } from './tokens.ts'

const CREDENTIALS = '/v3/users/:user/application_credentials'
const RULES = '/v3/users/:user/access_rules'

interface UserPath {
  readonly Params: { readonly user: string }
}

interface ItemPath {
  readonly Params: { readonly user: string; readonly id: string }
}

export function applicationCredentialRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { directory } = parts.identity

  server.post<UserPath>(CREDENTIALS, async (request, reply) => {
    const input = inputOf(Fields.of(request.body, 'application_credential'))
    const { credential, secret } = await directory.createCredential(
      callerOf(request),
      request.params.user,
      input,
    )
    reply.code(201)
    return { application_credential: { ...credentialView(rootOf(request, parts), credential), secret } }
  })

  server.get<UserPath>(CREDENTIALS, async request => {
    const name = queryText(request.query, 'name')
    const found = await directory.listCredentials(callerOf(request), request.params.user, name)
    const root = rootOf(request, parts)
    return collection(
      'application_credentials',
      found.map(each => credentialView(root, each)),
      selfOf(request, parts),
    )
  })

  server.get<ItemPath>(`${CREDENTIALS}/:id`, async request => {
    const { user, id } = request.params
    const credential = await directory.getCredential(callerOf(request), user, id)
    return { application_credential: credentialView(rootOf(request, parts), credential) }
  })

  server.delete<ItemPath>(`${CREDENTIALS}/:id`, async (request, reply) => {
    const { user, id } = request.params
    await directory.deleteCredential(callerOf(request), user, id)
    return noContent(reply)
  })

  // Rules live and go with the credentials that they are in.
  server.get<UserPath>(RULES, async request => {
    const found = await directory.listCredentials(callerOf(request), request.params.user)
    const root = rootOf(request, parts)
    const rules = new Map(found.flatMap(each => each.accessRules ?? []).map(each => [each.id, each]))
    return collection(
      'access_rules',
      [...rules.values()].map(each => accessRuleView(root, each)),
      selfOf(request, parts),
    )
  })

  server.get<ItemPath>(`${RULES}/:id`, async request => {
    const found = await directory.listCredentials(callerOf(request), request.params.user)
    return { access_rule: accessRuleView(rootOf(request, parts), ruleIn(found, request.params.id)) }
  })

  server.delete<ItemPath>(`${RULES}/:id`, async request => {
    const found = await directory.listCredentials(callerOf(request), request.params.user)
    ruleIn(found, request.params.id)
    throw new AtelierError(
      'FORBIDDEN',
      'The rule is in use: it goes with the application credentials that have it.',
    )
  })
}

function ruleIn(
  credentials: readonly { readonly accessRules: readonly StoredAccessRule[] | undefined }[],
  id: string,
): StoredAccessRule {
  const found = credentials.flatMap(each => each.accessRules ?? []).find(each => each.id === id)
  if (!found) throw noSuch('access rule', id)
  return found
}

function inputOf(fields: Fields): NewCredential {
  return {
    name: fields.text('name'),
    description: fields.textIfAny('description'),
    secret: fields.textIfAny('secret'),
    expiresAt: fields.timeIfAny('expires_at'),
    roles: rolesOf(fields),
    unrestricted: fields.flagIfAny('unrestricted'),
    accessRules: fields.listIfAny('access_rules')?.map(each => {
      const rule = Fields.from(each, 'access_rules')
      const id = rule.textIfAny('id')
      if (id !== undefined && !rule.has('path')) return { id }
      return { service: rule.text('service'), method: rule.text('method'), path: rule.text('path') }
    }),
  }
}
