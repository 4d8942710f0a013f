import type { FastifyInstance } from 'fastify'
import { type Principal, type Project, QUOTA_DEFAULT, QUOTA_NAMES, type Quota } from '../../core/index.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { expectedRevision, tagged } from '../revision.ts'
import { named } from '../schemas/inputs.ts'
import { ref } from '../schemas/model.ts'
import { ProjectQuotaSchema, QuotaSchema } from '../schemas/projects.ts'

const ProjectParams = named('project', 'The project’s name.')

/** What each project may have, beside what it has. */
export function quotaRoutes(server: FastifyInstance, { control, callsInUse }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/projects/{project}/quota',
    id: 'getQuota',
    tag: 'projects',
    summary: 'Show what a project may have, and how much of it it has',
    params: ProjectParams,
    answers: { 200: ref(ProjectQuotaSchema, 'Each quota with its use.') },
    // No ETag that answers 304: what is used changes without a revision.
    handle: async ({ by, params }) => viewOf(by, await control.getProject(by, params.project)),
  })

  operation(server, {
    method: 'PUT',
    path: '/projects/{project}/quota',
    id: 'setQuota',
    tag: 'projects',
    summary: 'Set what a project may have',
    description:
      'The whole of it: what is left out is as by default. A quota below what is used takes nothing away; it refuses what comes next.',
    params: ProjectParams,
    body: {
      ...QuotaSchema,
      examples: [{ functions: 50, callsPerMinute: 6_000, storageBytes: 5_368_709_120 }],
    },
    answers: { 200: ref(ProjectQuotaSchema, 'Each quota with its use, as it is now.') },
    errors: ['PRECONDITION_FAILED'],
    handle: async call => {
      const expected = expectedRevision(call.request)
      const { by, params } = call
      const project = await control.updateProject(by, params.project, { quota: call.body }, expected)
      return tagged(call, project.revision, await viewOf(by, project))
    },
  })

  async function viewOf(by: Principal, { id, name, quota, revision }: Project) {
    const used: { readonly [Name in keyof Quota]?: number | undefined } = {
      ...(await control.getHeldQuota(by, name)),
      ...callsInUse?.(id),
    }
    const limits: Quota = { ...QUOTA_DEFAULT, ...quota }
    const quotas = QUOTA_NAMES.map(each => {
      const [limit, count] = [limits[each], used[each]]
      const state = {
        ...(limit !== undefined && { limit }),
        ...(count !== undefined && { used: count }),
        isDefault: quota[each] === undefined,
      }
      return [each, state] as const
    })
    return { project: name, quotas: Object.fromEntries(quotas), revision }
  }
}
