import { AtelierError, type Principal, type TableFunction } from '../core/index.ts'
import { may } from '../identity/index.ts'
import type { Credential, RequestFields } from './fields.ts'
import { notFound } from './resolve.ts'

/**
 * The caller's token, and the field that it came in, which the function must never see. `X-Auth-Token` comes before
 * `Authorization: Bearer`; the one that is not used is the function's. Throws UNAUTHENTICATED.
 */
export function readToken(fields: RequestFields): { readonly token: string; readonly field: Credential } {
  if (fields.authToken !== undefined) return { token: fields.authToken, field: 'x-auth-token' }
  const bearer = fields.authorization === undefined ? undefined : BEARER.exec(fields.authorization)
  if (!bearer) {
    throw new AtelierError(
      'UNAUTHENTICATED',
      'This function is private: send "Authorization: Bearer <token>" or "X-Auth-Token". "atelier token" prints one.',
    )
  }
  return { token: bearer[1]!, field: 'authorization' }
}

/** Throws NOT_FOUND for another project's function, FORBIDDEN for a role that may not invoke. */
export function checkAccess(principal: Principal, target: TableFunction): void {
  if (principal.roles.includes('admin')) return
  if (principal.projectId !== target.projectId) throw notFound()
  if (!may(principal, 'invoke'))
    throw new AtelierError(
      'FORBIDDEN',
      `The roles of ${principal.userName} do not allow to invoke; "member" does.`,
    )
}

const BEARER = /^Bearer +([\w.~+/=-]+) *$/i
