import type { DialectRecord } from '../../control/index.ts'
import { AtelierError } from '../../core/index.ts'
import { QinlingError } from './answers.ts'
import { type Deployer, nameOf, shownAs } from './deploy.ts'
import { sendPackage } from './download.ts'
import { type KeptJob, runningJobsOf } from './job-rules.ts'
import {
  type Kept,
  type KeptAlias,
  type KeptFunction,
  type KeptVersion,
  type KeptWebhook,
  KINDS,
  versionKey,
} from './kept.ts'
import { attributesIn, isTrue, NAME, READ_ONLY, versionIn } from './reading.ts'
import type { AddRoute } from './routes.ts'
import { versionView } from './views.ts'
import { runnerFor } from './workers.ts'

const FIELDS = {
  id: { kind: 'ignored' },
  description: NAME,
  function_id: READ_ONLY,
  version_number: READ_ONLY,
  count: READ_ONLY,
  project_id: READ_ONLY,
  created_at: READ_ONLY,
  updated_at: READ_ONLY,
} as const
const VERSIONS_MAX = 10
const PATH = '/v1/functions/:id/versions'

/** `/v1/functions/<id>/versions`: each is a function of its own, with all that it froze. */
export function versionRoutes(add: AddRoute, kept: Kept, deployer: Deployer): void {
  add({ method: 'POST', path: PATH, status: 201 }, async ({ caller, request, id }) => {
    const { description = null } = attributesIn(request, 'body', FIELDS)
    const found = await kept.ownFunction(caller, id())
    const { body } = found
    if (body.code.source !== 'package')
      throw new QinlingError(403, 'Function versioning only allowed for package type function.')
    const versions = await kept.versions(found.id)
    if (versions.length >= VERSIONS_MAX)
      throw new QinlingError(403, `Can not exceed maximum number(${VERSIONS_MAX}) of versions`)
    const latest = versions.at(-1)
    if (latest?.body.code.source === 'package' && latest.body.code.md5sum === body.code.md5sum)
      throw new QinlingError(
        403,
        `Function package not changed since the latest version ${latest.body.number}.`,
      )
    const made = await claim(found, description)
    const name = nameOf(found.id, made.body.number)
    try {
      const archive = await deployer.archive(caller.principal, nameOf(found.id, 0))
      if (archive === undefined) throw new QinlingError(404, `Package of function ${found.id} not found.`)
      const shown = shownAs(found, made.body.number)
      const runner = await runnerFor(kept, made.body)
      await deployer.deploy(caller, caller.principal, name, shown, made.body, runner, archive)
    } catch (error) {
      await kept.records.delete(KINDS.version, made.id)
      throw error
    }
    return versionView(made)
  })

  add({ method: 'GET', path: PATH }, async ({ caller, id }) => {
    const found = await kept.function(caller, id())
    return { function_versions: (await kept.versions(found.id)).map(versionView) }
  })

  add({ method: 'GET', path: `${PATH}/:number`, query: ['download'] }, async asked => {
    const number = versionIn(asked.param('number'))
    const found = await kept.function(asked.caller, asked.id())
    const version = await kept.version(found.id, number)
    if (isTrue(asked.query['download'])) return sendPackage(asked, deployer, found, number)
    return versionView(version)
  })

  add({ method: 'DELETE', path: `${PATH}/:number`, status: 204 }, async ({ caller, id, param }) => {
    const number = versionIn(param('number'))
    const found = await kept.ownFunction(caller, id())
    const version = await kept.version(found.id, number)
    const refuse = (why: string) =>
      new QinlingError(403, `The function version is still associated with ${why}.`)
    const isOfThis = (each: DialectRecord<KeptWebhook | KeptAlias>) =>
      each.body.functionId === found.id && (each.body.functionVersion ?? 0) === number
    const jobs = await kept.all<KeptJob>(KINDS.job, {})
    if (runningJobsOf(jobs, found.id, number).length > 0) throw refuse('running job(s)')
    if ((await kept.all<KeptWebhook>(KINDS.webhook, {})).some(isOfThis)) throw refuse('webhook')
    if ((await kept.all<KeptAlias>(KINDS.alias, {})).some(isOfThis)) throw refuse('alias')
    await deployer.delete(caller.principal, nameOf(found.id, number))
    await kept.records.delete(KINDS.version, version.id)
  })

  /** The record of a new version, with a number that none ever had. */
  async function claim(
    found: DialectRecord<KeptFunction>,
    description: string | null,
  ): Promise<DialectRecord<KeptVersion>> {
    const { id, projectId } = found
    const counted = await kept.change<KeptFunction>(KINDS.function, found, body => ({
      ...body,
      lastNumber: body.lastNumber + 1,
    }))
    const { code, entry, cpu, memorySize, timeout, runtimeId, lastNumber: number } = counted.body
    const frozen = { code, entry, cpu, memorySize, timeout, runtimeId, workers: 0 }
    const body: KeptVersion = { functionId: id, number, description, count: 0, ...frozen }
    try {
      return await kept.add(KINDS.version, { projectId, parent: id, key: versionKey(id, number), body })
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'CONFLICT')
        throw new QinlingError(409, `There is a version ${number} already.`)
      throw error
    }
  }
}
