import type { DialectRecord } from '../../control/index.ts'
import type { Clock } from '../../core/index.ts'
import { chosen } from './executions.ts'
import { changedJob, type KeptJob, planOf } from './job-rules.ts'
import { type Kept, KINDS } from './kept.ts'
import { attributesIn, IGNORED, NAME, READ_ONLY } from './reading.ts'
import type { AddRoute } from './routes.ts'
import { readTime, showTime } from './times.ts'
import { stamps } from './views.ts'

const TIME = { kind: 'text', max: 64 } as const
const FIELDS = {
  id: IGNORED,
  name: NAME,
  function_id: { kind: 'uuid' },
  function_alias: NAME,
  function_version: { kind: 'int', min: 0 },
  function_input: NAME,
  pattern: { kind: 'text', max: 32 },
  count: { kind: 'int', min: 0 },
  first_execution_time: TIME,
  project_id: READ_ONLY,
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
} as const
const NEW = { ...FIELDS, status: IGNORED, next_execution_time: IGNORED } as const
const CHANGE = {
  ...FIELDS,
  function_id: IGNORED,
  function_alias: IGNORED,
  function_version: IGNORED,
  count: IGNORED,
  first_execution_time: IGNORED,
  status: { kind: 'text', max: 32 },
  next_execution_time: TIME,
} as const

/** `/v1/jobs`. `onChange`: a job may be due sooner than was known. */
export function jobRoutes(
  add: AddRoute,
  { clock }: { readonly clock: Clock },
  kept: Kept,
  onChange: () => void,
): void {
  const own = (caller: Parameters<Kept['own']>[0], id: string) =>
    kept.own<KeptJob>(caller, KINDS.job, 'Job', id)

  add({ method: 'POST', path: '/v1/jobs', status: 201 }, async ({ caller, request }) => {
    const given = attributesIn(request, 'job', NEW)
    const first = given.first_execution_time
    const isNamed = given.function_alias !== undefined || given.function_id !== undefined
    const plan = isNamed
      ? planOf(given.pattern, first === undefined ? undefined : readTime(first), given.count, clock.now())
      : undefined
    const { found, version, alias } = await chosen(kept, caller, given)
    if (version > 0) await kept.version(found.id, version)
    const body: KeptJob = {
      name: given.name ?? null,
      functionId: alias === null ? found.id : null,
      functionAlias: alias,
      functionVersion: alias === null ? version : 0,
      functionInput: given.function_input ?? null,
      status: 'running',
      pattern: given.pattern || null,
      count: plan!.count,
      firstAt: plan!.firstAt,
      nextAt: plan!.firstAt,
    }
    const made = await kept.add(KINDS.job, { projectId: caller.projectId, body })
    onChange()
    return jobView(made)
  })

  add(
    { method: 'GET', path: '/v1/jobs', query: ['all_projects', 'project_id'] },
    async ({ caller, query }) => {
      const found = await kept.listed<KeptJob>(caller, KINDS.job, query)
      return { jobs: found.map(jobView) }
    },
  )

  add({ method: 'GET', path: '/v1/jobs/:id' }, async ({ caller, id }) => jobView(await own(caller, id())))

  add({ method: 'PUT', path: '/v1/jobs/:id' }, async ({ caller, request, id }) => {
    const given = attributesIn(request, 'job', CHANGE)
    const job = await own(caller, id())
    const next = given.next_execution_time
    const change = {
      name: given.name,
      functionInput: given.function_input,
      status: given.status,
      pattern: given.pattern,
      nextAt: next === undefined ? undefined : readTime(next),
    }
    const now = clock.now()
    const changed = await kept.change<KeptJob>(KINDS.job, job, body => changedJob(body, change, now))
    onChange()
    return jobView(changed)
  })

  add({ method: 'DELETE', path: '/v1/jobs/:id', status: 204 }, async ({ caller, id }) => {
    const job = await own(caller, id())
    await kept.records.delete(KINDS.job, job.id)
  })
}

function jobView(record: DialectRecord<KeptJob>) {
  const { body } = record
  return {
    id: record.id,
    name: body.name,
    function_id: body.functionId,
    function_alias: body.functionAlias,
    function_version: body.functionVersion,
    function_input: body.functionInput,
    status: body.status,
    pattern: body.pattern,
    count: body.count,
    first_execution_time: showTime(body.firstAt),
    next_execution_time: showTime(body.nextAt),
    ...stamps(record),
  }
}
