import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import { callerOf } from '../caller.ts'
import { Fields, queryText, rolesOf } from '../input.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection, roleView, trustView } from '../views.ts'
import { noContent } from './tokens.ts'

const TRUSTS = '/v3/OS-TRUST/trusts'

interface TrustPath {
  readonly Params: { readonly trust: string }
}

export function trustRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { directory } = parts.identity

  server.post(TRUSTS, async (request, reply) => {
    const fields = Fields.of(request.body, 'trust')
    const input = {
      trustorId: fields.text('trustor_user_id'),
      trusteeId: fields.text('trustee_user_id'),
      impersonation: fields.flag('impersonation'),
      roles: rolesOf(fields) ?? [],
      expiresAt: fields.timeIfAny('expires_at'),
      remainingUses: fields.integerIfAny('remaining_uses'),
    }
    // Who was trusted would trust others in turn, out of sight of who began it.
    if (fields.flagIfAny('allow_redelegation') || (fields.integerIfAny('redelegation_count') ?? 0) > 0)
      throw new AtelierError('FORBIDDEN', 'A trust cannot be passed on here: leave allow_redelegation out.')
    const trust = await directory.createTrust(callerOf(request), {
      ...input,
      projectId: fields.text('project_id'),
    })
    reply.code(201)
    return { trust: trustView(rootOf(request, parts), trust, true) }
  })

  server.get(TRUSTS, async request => {
    const trustorId = queryText(request.query, 'trustor_user_id')
    const trusteeId = queryText(request.query, 'trustee_user_id')
    const found = await directory.listTrusts(callerOf(request), {
      ...(trustorId !== undefined && { trustorId }),
      ...(trusteeId !== undefined && { trusteeId }),
    })
    const root = rootOf(request, parts)
    return collection(
      'trusts',
      found.map(each => trustView(root, each, false)),
      selfOf(request, parts),
    )
  })

  server.get<TrustPath>(`${TRUSTS}/:trust`, async request => {
    const trust = await directory.getTrust(callerOf(request), request.params.trust)
    return { trust: trustView(rootOf(request, parts), trust, true) }
  })

  server.delete<TrustPath>(`${TRUSTS}/:trust`, async (request, reply) => {
    await directory.deleteTrust(callerOf(request), request.params.trust)
    return noContent(reply)
  })

  server.get<TrustPath>(`${TRUSTS}/:trust/roles`, async request => {
    const trust = await directory.getTrust(callerOf(request), request.params.trust)
    const root = rootOf(request, parts)
    return collection(
      'roles',
      trust.roles.map(each => roleView(root, each)),
      selfOf(request, parts),
    )
  })

  server.get<{ Params: { trust: string; role: string } }>(`${TRUSTS}/:trust/roles/:role`, async request => {
    const trust = await directory.getTrust(callerOf(request), request.params.trust)
    const role = trust.roles.find(each => each === request.params.role)
    if (!role) throw new AtelierError('NOT_FOUND', 'The trust has no such role.')
    return { role: roleView(rootOf(request, parts), role) }
  })
}
