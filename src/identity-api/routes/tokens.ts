import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import { GRACE_MS_MAX, type Session } from '../../identity/index.ts'
import { callerOf } from '../caller.ts'
import { catalogueOf } from '../catalogue.ts'
import { isSet, queryText } from '../input.ts'
import type { IdentityApiParts } from '../parts.ts'
import { tokenRequestOf } from '../token-request.ts'
import { tokenView } from '../views.ts'

/** Getting, checking and ending tokens. */
export function tokenRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { identity } = parts
  const { directory } = identity

  server.post('/v3/auth/tokens', { config: { anonymous: true } }, async (request, reply) => {
    const { token, session } = await directory.issue(tokenRequestOf(request.body, request.ip))
    reply.code(201).header('x-subject-token', token)
    return answer(request, session)
  })

  // Other services may look what a token stands for, but not by HEAD: so it is with Keystone.
  server.head('/v3/auth/tokens', async (request, reply) => {
    const { token } = await subject(request, by => by.roles.includes('admin'))
    return reply.code(200).header('x-subject-token', token).send()
  })
  server.get('/v3/auth/tokens', async (request, reply) => {
    const { token, session } = await subject(
      request,
      by => by.roles.includes('admin') || by.roles.includes('service'),
    )
    reply.header('x-subject-token', token)
    return answer(request, session)
  })

  server.delete('/v3/auth/tokens', async (request, reply) => {
    const { token } = await subject(request, by => by.roles.includes('admin'))
    await identity.revoke(token)
    return noContent(reply)
  })

  /** The token that is asked about, when the caller may ask: about one's own always. */
  async function subject(
    request: FastifyRequest,
    may: (by: Session) => boolean,
  ): Promise<{ readonly token: string; readonly session: Session }> {
    const by = callerOf(request)
    const token = request.headers['x-subject-token']
    const graceMs = isSet(request.query, 'allow_expired') && request.method === 'GET' ? GRACE_MS_MAX : 0
    const session = typeof token === 'string' ? await directory.inspect(token, graceMs) : undefined
    const mayAny = may(by)
    // Who may not ask about others must not learn whether theirs are valid.
    if (!mayAny && session?.user.id !== by.user.id)
      throw new AtelierError('FORBIDDEN', 'Your roles do not let you ask about this token.')
    if (typeof token !== 'string' || !session) throw new AtelierError('NOT_FOUND', 'There is no such token.')
    const rules = session.credential?.accessRules
    // A service that does not promise to keep to the rules must not take the token for a whole one.
    if (rules && request.method === 'GET' && request.headers['openstack-identity-access-rules'] === undefined)
      throw new AtelierError('NOT_FOUND', 'There is no such token.')
    return { token, session }
  }

  function answer(request: FastifyRequest, session: Session): object {
    const token = tokenView(session)
    if (session.project && queryText(request.query, 'nocatalog') === undefined)
      token['catalog'] = catalogueOf(request, parts)
    return { token }
  }
}

export function noContent(reply: FastifyReply): FastifyReply {
  return reply.code(204).send()
}
