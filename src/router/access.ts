import { AtelierError, type Principal, type TableFunction } from '../core/index.ts'
import { hashToken, may } from '../identity/index.ts'
import type { RequestFields, ShownToken } from './fields.ts'
import { notFound } from './resolve.ts'

/** The caller's token. `X-Auth-Token` comes before `Authorization: Bearer`. Throws UNAUTHENTICATED. */
export function shownToken(fields: RequestFields): ShownToken {
  fields.shown ??= readToken(fields) // requests of a connection mostly show the same one
  return fields.shown
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

function readToken({ authToken, authorization }: RequestFields): ShownToken {
  const token = authToken ?? BEARER.exec(authorization ?? '')?.[1]
  if (token === undefined) {
    throw new AtelierError(
      'UNAUTHENTICATED',
      'This function is private: send "Authorization: Bearer <token>" or "X-Auth-Token". "atelier token" prints one.',
    )
  }
  return { token, hash: hashToken(token), field: authToken === undefined ? 'authorization' : 'x-auth-token' }
}

const BEARER = /^Bearer +([\w.~+/=-]+) *$/i
