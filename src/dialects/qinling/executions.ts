import type { DialectRecord } from '../../control/index.ts'
import type { DialectParts } from '../dialect.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { respaced } from './json.ts'
import { type Kept, type KeptFunction, KINDS } from './kept.ts'
import { attributesIn, LONG, matches, NAME, READ_ONLY } from './reading.ts'
import type { AddRoute } from './routes.ts'
import type { Input, KeptExecution, Runs } from './runs.ts'
import { Texts } from './texts.ts'
import { stamps } from './views.ts'

const FIELDS = {
  id: { kind: 'ignored' },
  function_id: { kind: 'uuid' },
  function_version: { kind: 'int', min: 0 },
  function_alias: NAME,
  description: NAME,
  status: READ_ONLY,
  sync: { kind: 'bool' },
  input: LONG,
  result: READ_ONLY,
  project_id: READ_ONLY,
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
} as const
const FILTERS = ['function_id', 'status', 'description', 'project_id', 'all_projects'] as const
const LOG_LINES_MAX = 10_000
/** Of inputs and results in one list; those beyond are left out. */
const LISTED_BYTES_MAX = 16 * 1024 * 1024
const UNTOLD = { input: null, result: null } as const

/** `/v1/executions` */
export function executionRoutes(
  add: AddRoute,
  { telemetry }: Pick<DialectParts, 'telemetry'>,
  kept: Kept,
  runs: Runs,
): void {
  add(
    { method: 'POST', path: '/v1/executions', status: 201, right: 'invoke' },
    async ({ caller, request }) => {
      const given = attributesIn(request, 'body', FIELDS)
      const { found, version, alias } = await chosen(kept, caller, given)
      const execution = await runs.start({
        found,
        version,
        alias,
        description: given.description ?? null,
        sync: given.sync ?? true,
        input: inputOf(given.input),
        projectId: caller.projectId,
      })
      return view(execution)
    },
  )

  add({ method: 'GET', path: '/v1/executions', query: FILTERS }, async ({ caller, query }) => {
    const shown = []
    let bytes = 0
    for await (const each of kept.eachListed<KeptExecution>(caller, KINDS.execution, query)) {
      const { functionId, description } = each.body
      if (!matches(query['function_id'], functionId) || !matches(query['description'], description)) continue
      const now = await runs.fresh(each)
      if (!matches(query['status'], now.body.status)) continue
      const { input, result } = now.body
      bytes += Texts.bytesOf(input) + Texts.bytesOf(result)
      // Each is shown whole when it is asked for by its id.
      shown.push(await view(bytes <= LISTED_BYTES_MAX ? now : { ...now, body: { ...now.body, ...UNTOLD } }))
    }
    return { executions: shown }
  })

  add({ method: 'GET', path: '/v1/executions/:id' }, async ({ caller, id }) => view(await own(caller, id())))

  add({ method: 'DELETE', path: '/v1/executions/:id', status: 204 }, async ({ caller, id }) => {
    const { id: executionId, body } = await kept.own<KeptExecution>(
      caller,
      KINDS.execution,
      'Execution',
      id(),
    )
    await kept.records.delete(KINDS.execution, executionId)
    for (const field of ['input', 'result', 'printed'] as const)
      await runs.texts.forget(executionId, field, body[field])
  })

  add({ method: 'GET', path: '/v1/executions/:id/log' }, async ({ caller, id, request, reply }) => {
    if (request.headers.accept?.split(',')[0]?.trim().startsWith('application/json'))
      throw new QinlingError(406, 'The log is text/plain.')
    const text = await logOf(await own(caller, id()))
    if (text === '') return void (await reply.code(204).send())
    await reply.code(200).type('text/plain; charset=UTF-8').send(text)
  })

  async function own(caller: Caller, id: string): Promise<DialectRecord<KeptExecution>> {
    return runs.fresh(await kept.own<KeptExecution>(caller, KINDS.execution, 'Execution', id))
  }

  async function logOf({ id, body }: DialectRecord<KeptExecution>): Promise<string> {
    const printed = body.printed === null ? '' : await runs.texts.read(id, 'printed', body.printed)
    if (body.callId === null) return printed
    const lines = await telemetry.listLogs(
      body.functionProjectId,
      { invocationId: body.callId },
      LOG_LINES_MAX,
    )
    const said = lines.filter(line => line.stream !== 'platform').map(line => `${line.text}\n`)
    return printed + said.join('')
  }

  async function view(record: DialectRecord<KeptExecution>) {
    const { id, body } = record
    return {
      id,
      function_id: body.functionId,
      function_version: body.functionVersion,
      function_alias: body.functionAlias,
      description: body.description,
      status: body.status,
      sync: body.sync,
      input: body.input === null ? null : await runs.texts.read(id, 'input', body.input),
      result: body.result === null ? null : await runs.texts.read(id, 'result', body.result),
      ...stamps(record),
    }
  }
}

/** The function that a request means: by its alias, which wins, or by its id. */
export async function chosen(
  kept: Kept,
  caller: Caller,
  given: {
    readonly function_id?: string
    readonly function_version?: number
    readonly function_alias?: string
  },
): Promise<{ found: DialectRecord<KeptFunction>; version: number; alias: string | null }> {
  if (given.function_alias) {
    const { body } = await kept.alias(caller, given.function_alias)
    const found = await kept.function(caller, body.functionId)
    return { found, version: body.functionVersion, alias: given.function_alias }
  }
  if (given.function_id === undefined)
    throw new QinlingError(400, 'Either function_alias or function_id must be provided.')
  const found = await kept.function(caller, given.function_id)
  return { found, version: given.function_version ?? 0, alias: null }
}

/** A text as the arguments that it stands for: those of a JSON object, or itself as the one that has no name. */
export function inputOf(text: string | undefined | null): Input | undefined {
  if (text === undefined || text === null) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { shown: text, json: JSON.stringify({ __function_input: text }) }
  }
  if (value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value))
    return { shown: text, json: JSON.stringify({ __function_input: text }) }
  const input = (value as Record<string, unknown>)['__function_input']
  return { shown: typeof input === 'string' && input !== '' ? input : respaced(text), json: text }
}
