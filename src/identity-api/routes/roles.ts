import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AtelierError, noSuch } from '../../core/index.ts'
import { type Assignment, type AssignmentId, impliedRoles, isRole, ROLES } from '../../identity/index.ts'
import { callerOf } from '../caller.ts'
import { isSet, queryText } from '../input.ts'
import { needOperator } from '../operator.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection, DOMAIN, roleView } from '../views.ts'
import { noContent } from './tokens.ts'

const GRANTS = '/v3/projects/:project/users/:user/roles'

interface GrantsPath {
  readonly Params: { readonly project: string; readonly user: string }
}

interface GrantPath {
  readonly Params: { readonly project: string; readonly user: string; readonly role: string }
}

/** The roles, which are fixed (their ids are their names), and who has which. */
export function roleRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { directory } = parts.identity

  server.get('/v3/roles', async request => {
    needOperator(request)
    const name = queryText(request.query, 'name')
    const isElsewhere = queryText(request.query, 'domain_id') !== undefined
    const found = isElsewhere ? [] : ROLES.filter(role => name === undefined || role === name)
    const root = rootOf(request, parts)
    return collection(
      'roles',
      found.map(role => roleView(root, role)),
      selfOf(request, parts),
    )
  })

  server.get<{ Params: { role: string } }>('/v3/roles/:role', async request => {
    needOperator(request)
    const { role } = request.params
    if (!isRole(role)) throw noSuch('role', role)
    return { role: roleView(rootOf(request, parts), role) }
  })

  for (const [method, path] of [
    ['POST', '/v3/roles'],
    ['PATCH', '/v3/roles/:role'],
    ['DELETE', '/v3/roles/:role'],
  ] as const)
    server.route({
      method,
      url: path,
      handler: async request => {
        needOperator(request)
        throw new AtelierError('FORBIDDEN', `The roles are ${ROLES.join(', ')}, and stay as they are.`)
      },
    })

  server.get('/v3/role_assignments', async request => {
    const { query } = request
    const found = await directory.listAssignments(callerOf(request), filterOf(query))
    const isElsewhere = ['group.id', 'scope.domain.id', 'scope.system'].some(
      name => queryText(query, name) !== undefined,
    )
    const shown = isElsewhere ? [] : isSet(query, 'effective') ? found.flatMap(effective) : found
    const role = queryText(query, 'role.id')
    const root = rootOf(request, parts)
    return collection(
      'role_assignments',
      shown
        .filter(each => role === undefined || each.role === role)
        .map(each => assignmentView(root, each, isSet(query, 'include_names'))),
      selfOf(request, parts),
    )
  })

  server.get<GrantsPath>(GRANTS, async request => {
    const { user: userId, project: projectId } = request.params
    const by = callerOf(request)
    needOperator(request)
    await Promise.all([directory.getPerson(by, userId), directory.getPlace(by, projectId)])
    const found = await directory.listAssignments(by, { userId, projectId })
    const root = rootOf(request, parts)
    return collection(
      'roles',
      found.map(each => roleView(root, each.role)),
      selfOf(request, parts),
    )
  })

  server.get<GrantPath>(`${GRANTS}/:role`, async (request, reply) => {
    if (!(await directory.isAssigned(callerOf(request), idOf(request))))
      throw new AtelierError('NOT_FOUND', 'The user has not this role in this project.')
    return noContent(reply)
  })
  server.put<GrantPath>(`${GRANTS}/:role`, async (request, reply) => {
    await directory.assign(callerOf(request), idOf(request))
    return noContent(reply)
  })
  server.delete<GrantPath>(`${GRANTS}/:role`, async (request, reply) => {
    await directory.unassign(callerOf(request), idOf(request))
    return noContent(reply)
  })
}

function idOf({ params }: FastifyRequest<GrantPath>): AssignmentId {
  return { userId: params.user, projectId: params.project, role: params.role }
}

function filterOf(query: unknown): Partial<AssignmentId> {
  const userId = queryText(query, 'user.id')
  const projectId = queryText(query, 'scope.project.id')
  return {
    ...(userId !== undefined && { userId }),
    ...(projectId !== undefined && { projectId }),
  }
}

function effective(assignment: Assignment): readonly Assignment[] {
  return impliedRoles([assignment.role]).map(role => ({ ...assignment, role }))
}

function assignmentView(root: string, { user, project, role }: Assignment, withNames: boolean): object {
  const domain = withNames ? { domain: DOMAIN } : {}
  const shown = ({ id, name }: Assignment['user']) => (withNames ? { id, name, ...domain } : { id })
  return {
    links: { assignment: `${root}/v3/projects/${project.id}/users/${user.id}/roles/${role}` },
    scope: { project: shown(project) },
    user: shown(user),
    role: withNames ? { id: role, name: role } : { id: role },
  }
}
