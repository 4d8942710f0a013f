import type { FastifyRequest } from 'fastify'
import { AtelierError, type Principal } from '../../core/index.ts'
import { type Action, holderOf, may } from '../../identity/index.ts'
import type { DialectParts } from '../dialect.ts'
import { NOT_ALLOWED, QinlingError } from './answers.ts'

/** Who asks, and what Qinling's policy makes of them. */
export interface Caller {
  readonly principal: Principal
  readonly projectId: string
  /** Rule `context_is_admin`. */
  readonly isAdmin: boolean
  /** Whether things of all projects are there for them. */
  readonly seesAll: boolean
  /** As it was sent: for the object store, which checks it for itself. */
  readonly token: string | undefined
}

/** Its type in Keystone's catalogue, and in the access rules of application credentials. */
export const SERVICE = 'function-engine'

const OPEN_MS = 60_000
/** What Qinling's client sends when it was told that there is no authentication. */
const NOT_USED = 'notused'

/**
 * The caller of a request, by `X-Auth-Token`. Where the operator names a project for everybody, who shows no token works there with
 * all rights that Qinling without authentication gives, and sees nothing of other projects. Rejects with 401 in Qinling's words.
 */
export async function callerOf(
  request: FastifyRequest,
  { identity, table, settings, clock }: Pick<DialectParts, 'identity' | 'table' | 'settings' | 'clock'>,
): Promise<Caller> {
  const shown = request.headers['x-auth-token']
  const token = typeof shown === 'string' && shown !== '' && shown !== NOT_USED ? shown : undefined
  if (token !== undefined) {
    const principal = await holderOf(identity, token, SERVICE, request).catch(notValid)
    const isAdmin = principal.roles.includes('admin')
    return { principal, projectId: principal.projectId, isAdmin, seesAll: isAdmin, token }
  }
  const { openProject } = settings
  if (openProject === '') throw unauthenticated('Authentication required')
  const project = [...table.projects.values()].find(each => each.name === openProject && each.enabled)
  if (!project)
    throw new QinlingError(
      503,
      `The project ${JSON.stringify(openProject)} of --dialect-project does not exist.`,
    )
  const principal: Principal = {
    userId: 'anybody',
    userName: 'anybody',
    projectId: project.id,
    projectName: project.name,
    roles: ['member'],
    expiresAt: clock.now() + OPEN_MS,
  }
  return { principal, projectId: project.id, isAdmin: true, seesAll: false, token: undefined }
}

/** Throws 403 for who is no admin. */
export function needAdmin({ isAdmin }: Caller): void {
  if (!isAdmin) throw new QinlingError(403, NOT_ALLOWED)
}

/** Throws 403 for whose role does not allow it. */
export function needRight({ principal }: Caller, action: Action): void {
  if (!may(principal, action)) throw new QinlingError(403, NOT_ALLOWED)
}

/** Rejects with what is wrong with a token; that nobody could be asked stays what it is. */
function notValid(error: unknown): never {
  if (error instanceof AtelierError && error.fault === 'platform') throw error
  throw unauthenticated('Auth token is invalid')
}

function unauthenticated(reason: string): QinlingError {
  const message = `Failed to validate access token: ${reason}`
  return new QinlingError(401, message, {
    headers: { 'www-authenticate': 'Keystone', 'server-error-message': message },
  })
}
