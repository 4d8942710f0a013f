import type { FastifyRequest } from 'fastify'
import { AtelierError, type Principal } from '../core/index.ts'
import { type Action, holderOf } from '../identity/index.ts'
import type { DialectParts } from './dialect.ts'
import { actionOf, needRight } from './rights.ts'

const PROOF_MS = 60_000

/**
 * Who manages, in dialects whose clients know no users: whoever shows a token of the platform in `X-Auth-Token`, or anybody, where the
 * operator names a project for that. `service`: as access rules of application credentials name the dialect. Rejects with
 * UNAUTHENTICATED, FORBIDDEN when the token's roles do not allow `action`, and UNAVAILABLE when there is no such project.
 */
export async function anybody(
  request: FastifyRequest,
  service: string,
  { identity, table, settings, clock }: Pick<DialectParts, 'identity' | 'table' | 'settings' | 'clock'>,
  action: Action = actionOf(request),
): Promise<Principal> {
  const token = shownToken(request)
  if (token !== undefined) {
    const by = await holderOf(identity, token, service, request)
    needRight(by, action)
    return by
  }
  const { openProject } = settings
  if (openProject === '')
    throw new AtelierError(
      'UNAUTHENTICATED',
      'This needs a token in the header X-Auth-Token. To let everybody who reaches this port work in one project, start the server ' +
        'with --dialect-project.',
    )
  const found = [...table.projects.values()].find(each => each.name === openProject && each.enabled)
  if (!found)
    throw new AtelierError(
      'UNAVAILABLE',
      `The project ${JSON.stringify(openProject)} of --dialect-project does not exist.`,
    )
  return {
    userId: 'anybody',
    userName: 'anybody',
    projectId: found.id,
    projectName: found.name,
    roles: ['member'],
    expiresAt: clock.now() + PROOF_MS,
  }
}

/** The token of the platform that a request shows; a header with nothing in it shows none. */
export function shownToken({ headers }: FastifyRequest): string | undefined {
  const token = headers['x-auth-token']
  return typeof token === 'string' && token !== '' ? token : undefined
}
