import { AtelierError, invalidField } from '../core/index.ts'
import type { Proof, Scope, TokenRequest, UserReference } from '../identity/index.ts'
import { Fields } from './input.ts'
import { DOMAIN } from './views.ts'

/** What the body of `POST /v3/auth/tokens` asks for. Throws INVALID_INPUT, and UNAUTHENTICATED for what is not there. */
export function tokenRequestOf(body: unknown, client: string): TokenRequest {
  const auth = Fields.of(body, 'auth')
  return { proof: proofOf(auth.object('identity')), scope: scopeOf(auth), client }
}

function proofOf(identity: Fields): Proof {
  const methods = identity.listIfAny('methods') ?? []
  const [method] = methods
  if (methods.length !== 1) throw invalidField('auth.identity.methods', 'must name one method')
  if (method === 'password') {
    const user = identity.object('password').object('user')
    return { method, user: userOf(user), password: user.text('password') }
  }
  if (method === 'token') return { method, token: identity.object('token').text('id') }
  if (method === 'application_credential') {
    const credential = identity.object('application_credential')
    const secret = credential.text('secret')
    const id = credential.textIfAny('id')
    const reference =
      id === undefined ? { name: credential.text('name'), user: userOf(credential.object('user')) } : { id }
    return { method, credential: reference, secret }
  }
  throw new AtelierError('UNAUTHENTICATED', 'There is no such way to log in.')
}

function scopeOf(auth: Fields): Scope {
  const given = auth.raw('scope')
  if (given === undefined || given === null) return undefined
  if (given === 'unscoped') return 'unscoped'
  const scope = auth.object('scope')
  if (scope.has('OS-TRUST:trust')) return { trustId: scope.object('OS-TRUST:trust').text('id') }
  if (scope.has('unscoped')) return 'unscoped'
  // Roles are held in projects here: nobody has one in a domain or in the system.
  if (!scope.has('project')) throw new AtelierError('UNAUTHENTICATED', 'There is no such scope here.')
  const project = scope.object('project')
  const id = project.textIfAny('id')
  if (id !== undefined) return { project: { id } }
  needDomain(project)
  return { project: { name: project.text('name') } }
}

function userOf(user: Fields): UserReference {
  const id = user.textIfAny('id')
  if (id !== undefined) return { id }
  needDomain(user)
  return { name: user.text('name') }
}

/** There is one domain, so it need not be said. Throws UNAUTHENTICATED for another one. */
function needDomain(fields: Fields): void {
  if (fields.raw('domain') === undefined) return
  const domain = fields.object('domain')
  const isOurs =
    domain.textIfAny('id') === DOMAIN.id ||
    domain.textIfAny('name')?.toLowerCase() === DOMAIN.name.toLowerCase()
  if (!isOurs) throw new AtelierError('UNAUTHENTICATED', 'There is no such domain.')
}
