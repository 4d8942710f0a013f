import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import { callerOf, principalOfCaller } from '../caller.ts'
import { Fields, queryFlag, queryText } from '../input.ts'
import { needOperator } from '../operator.ts'
import type { IdentityApiParts } from '../parts.ts'
import { rootOf, selfOf } from '../root.ts'
import { collection, DOMAIN, projectView } from '../views.ts'
import { needOurDomain } from './domains.ts'
import { noContent } from './tokens.ts'

interface ProjectPath {
  readonly Params: { readonly project: string }
}

export function projectRoutes(server: FastifyInstance, parts: IdentityApiParts): void {
  const { directory } = parts.identity

  server.get('/v3/projects', async request => {
    const { query } = request
    const name = queryText(query, 'name')
    const enabled = queryFlag(query, 'enabled')
    const found = await directory.listPlaces(callerOf(request), {
      ...(name !== undefined && { name }),
      ...(enabled !== undefined && { enabled }),
    })
    const parent = queryText(query, 'parent_id') ?? DOMAIN.id
    const isElsewhere = [queryText(query, 'domain_id') ?? DOMAIN.id, parent].some(id => id !== DOMAIN.id)
    const areDomains = queryFlag(query, 'is_domain') ?? false
    const root = rootOf(request, parts)
    const projects = isElsewhere || areDomains ? [] : found.map(each => projectView(root, each))
    return collection('projects', projects, selfOf(request, parts))
  })

  server.post('/v3/projects', async (request, reply) => {
    needOperator(request)
    const by = principalOfCaller(request)
    const fields = Fields.of(request.body, 'project')
    needPlain(fields)
    const made = await parts.projects.createProject(by, {
      name: fields.text('name'),
      description: fields.textIfAny('description') ?? '',
      enabled: fields.flagIfAny('enabled') ?? true,
    })
    reply.code(201)
    return view(request, made.id)
  })

  server.get<ProjectPath>('/v3/projects/:project', async request => view(request, request.params.project))

  server.patch<ProjectPath>('/v3/projects/:project', async request => {
    needOperator(request)
    const by = principalOfCaller(request)
    const { id, name } = await directory.getPlace(callerOf(request), request.params.project)
    const fields = Fields.of(request.body, 'project')
    needPlain(fields)
    if ((fields.textIfAny('name') ?? name) !== name)
      throw new AtelierError(
        'NOT_IMPLEMENTED',
        'A project keeps its name: the addresses of its functions begin with it.',
      )
    const description = fields.textOrNull('description')
    const enabled = fields.flagIfAny('enabled')
    await parts.projects.updateProject(by, name, {
      ...(description !== undefined && { description: description ?? '' }),
      ...(enabled !== undefined && { enabled }),
    })
    return view(request, id)
  })

  server.delete<ProjectPath>('/v3/projects/:project', async (request, reply) => {
    needOperator(request)
    const { name } = await directory.getPlace(callerOf(request), request.params.project)
    await parts.projects.deleteProject(principalOfCaller(request), name)
    return noContent(reply)
  })

  async function view(request: FastifyRequest, id: string): Promise<object> {
    const place = await directory.getPlace(callerOf(request), id)
    return { project: projectView(rootOf(request, parts), place) }
  }
}

/** Throws for what a project here cannot be: below another, or a domain. */
function needPlain(fields: Fields): void {
  needOurDomain(fields)
  fields.refuse(['is_domain', 'tags', 'options'])
  const parent = fields.textIfAny('parent_id') ?? DOMAIN.id
  if (parent !== DOMAIN.id)
    throw new AtelierError('NOT_IMPLEMENTED', 'Projects have no parent here but the domain "default".')
}
