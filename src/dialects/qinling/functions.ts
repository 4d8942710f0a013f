import type { DialectRecord } from '../../control/index.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { checkSum, codeIn, limitIn, objectIn, sourceIn, wordIn } from './code.ts'
import { type Deployer, nameOf, shownAs } from './deploy.ts'
import { sendPackage } from './download.ts'
import { type Archive, type FunctionForm, formIn } from './forms.ts'
import { type Runner, runnerOf } from './images.ts'
import { type KeptJob, runningJobsOf } from './job-rules.ts'
import {
  type Code,
  type Kept,
  type KeptAlias,
  type KeptFunction,
  type KeptWebhook,
  KINDS,
  missing,
} from './kept.ts'
import { isTrue, uuidIn } from './reading.ts'
import type { AddRoute } from './routes.ts'
import type { ObjectStore } from './swift.ts'
import { functionView } from './views.ts'

const ENTRY_DEFAULT = 'main.main'
const LISTED = ['all_projects', 'project_id'] as const

/** `/v1/functions`, but for changes. */
export function functionRoutes(add: AddRoute, kept: Kept, deployer: Deployer, objects: ObjectStore): void {
  add({ method: 'POST', path: '/v1/functions', status: 201 }, async ({ caller, request }) => {
    const { body, runner, archive } = await read(caller, await formIn(request))
    const made = await kept.add(KINDS.function, { projectId: caller.projectId, body })
    try {
      await deployer.deploy(
        caller,
        caller.principal,
        nameOf(made.id, 0),
        shownAs(made),
        body,
        runner,
        archive?.bytes,
      )
    } catch (error) {
      await kept.records.delete(KINDS.function, made.id)
      throw error
    }
    return functionView(made, 0)
  })

  add({ method: 'GET', path: '/v1/functions', query: LISTED }, async ({ caller, query }) => {
    const found = await kept.listed<KeptFunction>(caller, KINDS.function, query)
    return {
      functions: await Promise.all(
        found.map(async each => functionView(each, await latestOf(kept, each), true)),
      ),
    }
  })

  add({ method: 'GET', path: '/v1/functions/:id', query: ['download'] }, async asked => {
    const found = await kept.function(asked.caller, looseId(asked.param('id')))
    if (isTrue(asked.query['download'])) return sendPackage(asked, deployer, found, 0)
    return functionView(found, await latestOf(kept, found))
  })

  add({ method: 'DELETE', path: '/v1/functions/:id', status: 204 }, async ({ caller, id }) => {
    const found = await kept.function(caller, id())
    const refuse = (why: string) => new QinlingError(403, `The function is still associated with ${why}.`)
    const isOfThis = (each: DialectRecord<{ readonly functionId: string | null }>) =>
      each.body.functionId === found.id
    const jobs = await kept.all<KeptJob>(KINDS.job, {})
    if (runningJobsOf(jobs, found.id, undefined).length > 0) throw refuse('running job(s)')
    if ((await kept.all<KeptWebhook>(KINDS.webhook, {})).some(isOfThis)) throw refuse('webhook(s)')
    if ((await kept.all<KeptAlias>(KINDS.alias, {})).some(isOfThis)) throw refuse('function alias(es)')
    if (found.projectId !== caller.projectId)
      throw new QinlingError(403, 'Function can only be deleted by its owner.')
    for (const { id: versionId, body } of await kept.versions(found.id)) {
      await deployer.delete(caller.principal, nameOf(found.id, body.number))
      await kept.records.delete(KINDS.version, versionId)
    }
    await deployer.delete(caller.principal, nameOf(found.id, 0))
    await kept.records.delete(KINDS.function, found.id)
  })

  /** What a form asks for, checked in Qinling's order. */
  async function read(
    caller: Caller,
    { fields, archive }: FunctionForm,
  ): Promise<{ body: KeptFunction; runner: Runner | undefined; archive: Archive | undefined }> {
    const code = codeIn(fields)
    if (code === undefined) throw new QinlingError(400, "Required param is missing. Required: {'code'}")
    const timeout = limitIn(fields, 'timeout')
    const cpu = limitIn(fields, 'cpu')
    const memorySize = limitIn(fields, 'memory_size')
    const source = sourceIn(code)
    const runtimeId = await runtimeIn(caller, fields.get('runtime_id'), source)
    const name = wordIn(fields, 'name')
    const description = wordIn(fields, 'description')
    const entry = source === 'image' ? null : (wordIn(fields, 'entry') ?? ENTRY_DEFAULT)
    const common = { name, description, cpu, memorySize, timeout, entry, count: 0, lastNumber: 0, workers: 0 }
    if (source === 'image') {
      const image = typeof code['image'] === 'string' ? code['image'] : ''
      if (image === '') throw new QinlingError(400, "Required param is missing. Required: {'image'}")
      const body = { ...common, runtimeId: runtimeId?.id ?? null, code: { source, image } }
      return { body, runner: undefined, archive: undefined }
    }
    const sent = source === 'package' ? packageOf(archive) : await fetched(caller, code)
    if (source === 'package') checkSum(code, sent.archive)
    return {
      body: { ...common, runtimeId: runtimeId!.id, code: sent.code },
      runner: runnerOf(runtimeId!.body.image),
      archive: sent.archive,
    }
  }

  async function runtimeIn(caller: Caller, text: string | undefined, source: Code['source']) {
    if (text === undefined || text === '') {
      if (source === 'image') return undefined
      throw new QinlingError(400, '"runtime_id" must be specified.')
    }
    const runtime = await kept.runtime(caller, uuidIn('runtime_id', text))
    if (source !== 'image' && runtime.body.status !== 'available')
      throw new QinlingError(400, `Runtime ${runtime.id} is not available.`)
    return runtime
  }

  function packageOf(archive: Archive | undefined): { code: Code; archive: Archive } {
    if (archive === undefined) throw new QinlingError(400, "Required param is missing. Required: {'package'}")
    return { code: { source: 'package', md5sum: archive.md5 }, archive }
  }

  async function fetched(
    caller: Caller,
    code: Readonly<Record<string, unknown>>,
  ): Promise<{ code: Code; archive: Archive }> {
    const { container, object } = objectIn(code)
    if (container === undefined || object === undefined)
      throw new QinlingError(400, 'Both container and object must be provided for swift type function.')
    const swift = { container, object }
    return { code: { source: 'swift', swift }, archive: await objects.archive(caller, swift) }
  }
}

/** The highest number of the versions that there are; 0 where there is none. */
export async function latestOf(kept: Kept, { id, body }: DialectRecord<KeptFunction>): Promise<number> {
  if (body.lastNumber === 0) return 0
  return (await kept.versions(id)).at(-1)?.body.number ?? 0
}

/** Qinling does not look at this id: what is none is not found. */
export function looseId(text: string): string {
  try {
    return uuidIn('id', text)
  } catch {
    throw missing('Function', 'id', text)
  }
}
