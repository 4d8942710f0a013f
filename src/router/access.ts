import { AtelierError, type Principal, type TableFunction } from '../core/index.ts'
import { may } from '../identity/index.ts'
import type { RequestFields } from './fields.ts'
import { notFound } from './resolve.ts'

/**
 * Takes the caller's token out of the fields, so that the function never sees it. `X-Auth-Token` comes before
 * `Authorization: Bearer`; the one that is not used is the function's and stays. Throws UNAUTHENTICATED.
 */
export function takeToken(fields: RequestFields): string {
  if (fields.authToken !== undefined) {
    const token = fields.authToken
    fields.authToken = undefined
    return token
  }
  const bearer = fields.authorization === undefined ? undefined : BEARER.exec(fields.authorization)
  if (!bearer) {
    throw new AtelierError(
      'UNAUTHENTICATED',
      'This function is private: send "Authorization: Bearer <token>" or "X-Auth-Token". "atelier token" prints one.',
    )
  }
  fields.authorization = undefined
  return bearer[1]!
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
