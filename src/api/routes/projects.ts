import type { FastifyInstance } from 'fastify'
import { operation } from '../operation.ts'
import { type ApiParts, kept } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { Description, exactly, named, Paged } from '../schemas/inputs.ts'
import { listOf, Nothing, pageOf, ref } from '../schemas/model.ts'
import { IsolationMinSchema, ProjectSchema, QuotaSchema } from '../schemas/projects.ts'
import { GrantSchema } from '../schemas/server.ts'
import { Type } from '../schemas/type.ts'
import { pageView, projectView } from '../views.ts'

const ProjectParams = named('project', 'The project’s name.')
const GrantBody = exactly(
  {
    user: Type.String({ maxLength: 100 }),
    role: Type.Enum(['admin', 'member', 'reader', 'service'], {
      description:
        '`admin` is an operator of the whole platform; `service` may check tokens, and nothing else.',
    }),
  },
  { examples: [{ user: 'maria', role: 'member' }] },
)

export function projectRoutes(server: FastifyInstance, parts: ApiParts): void {
  const { control } = parts
  const users = () => kept(parts, 'users')

  operation(server, {
    method: 'POST',
    path: '/projects',
    id: 'createProject',
    tag: 'projects',
    summary: 'Create a project',
    idempotent: true,
    body: exactly(
      {
        name: Type.String(),
        description: Type.Optional(Description),
        quota: Type.Optional(QuotaSchema),
        isolationMin: Type.Optional(IsolationMinSchema),
      },
      { examples: [{ name: 'research', quota: { functions: 20 } }] },
    ),
    answers: { 201: ref(ProjectSchema, 'The new project.') },
    errors: ['CONFLICT'],
    handle: async ({ by, body, reply }) => {
      const project = await control.createProject(by, body)
      reply
        .header('etag', `"${project.revision}"`)
        .header('location', `/v1/projects/${encodeURIComponent(project.name)}`)
      return projectView(project)
    },
  })

  operation(server, {
    method: 'GET',
    path: '/projects',
    id: 'listProjects',
    tag: 'projects',
    summary: 'List projects',
    query: Paged,
    answers: { 200: pageOf(ProjectSchema) },
    handle: async ({ by, query }) => pageView(await control.listProjects(by, query), projectView),
  })

  operation(server, {
    method: 'GET',
    path: '/projects/{project}',
    id: 'getProject',
    tag: 'projects',
    summary: 'Show a project',
    params: ProjectParams,
    answers: { 200: ref(ProjectSchema, 'The project.') },
    handle: async call => {
      const project = await control.getProject(call.by, call.params.project)
      return tagged(call, project.revision, projectView(project))
    },
  })

  operation(server, {
    method: 'PATCH',
    path: '/projects/{project}',
    id: 'updateProject',
    tag: 'projects',
    summary: 'Change a project',
    params: ProjectParams,
    body: exactly(
      {
        description: Type.Optional(Description),
        enabled: Type.Optional(
          Type.Boolean({ description: 'A disabled project serves no calls and no logins.' }),
        ),
        quota: Type.Optional(QuotaSchema),
        isolationMin: Type.Optional(IsolationMinSchema),
      },
      { examples: [{ quota: { functions: 50 } }] },
    ),
    answers: { 200: ref(ProjectSchema, 'The project as it is now.') },
    errors: ['PRECONDITION_FAILED', 'CONFLICT'],
    handle: async call => {
      const expected = expectedRevision(call.request)
      const project = await control.updateProject(call.by, call.params.project, call.body, expected)
      return tagged(call, project.revision, projectView(project))
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/projects/{project}',
    id: 'deleteProject',
    tag: 'projects',
    summary: 'Delete a project that has no apps',
    params: ProjectParams,
    answers: { 204: Nothing },
    errors: ['CONFLICT', 'PRECONDITION_FAILED'],
    handle: ({ by, params, request }) => control.deleteProject(by, params.project, expectedRevision(request)),
  })

  operation(server, {
    method: 'GET',
    path: '/projects/{project}/grants',
    id: 'listGrants',
    tag: 'projects',
    summary: 'List who has which role in a project',
    params: ProjectParams,
    answers: { 200: listOf(GrantSchema) },
    handle: async ({ by, params }) => ({ items: await users().listGrants(by, params.project) }),
  })

  operation(server, {
    method: 'PUT',
    path: '/projects/{project}/grants',
    id: 'grant',
    tag: 'projects',
    summary: 'Give a user a role in a project',
    params: ProjectParams,
    body: GrantBody,
    answers: { 200: ref(GrantSchema, 'The grant.') },
    handle: async ({ by, params, body }) => {
      const grant = { ...body, project: params.project }
      await users().grant(by, grant)
      return grant
    },
  })

  operation(server, {
    method: 'DELETE',
    path: '/projects/{project}/grants',
    id: 'ungrant',
    tag: 'projects',
    summary: 'Take a role away',
    params: ProjectParams,
    query: exactly({ user: GrantBody.properties.user, role: GrantBody.properties.role }),
    answers: { 204: Nothing },
    errors: ['CONFLICT'],
    handle: ({ by, params, query }) => users().ungrant(by, { ...query, project: params.project }),
  })
}
