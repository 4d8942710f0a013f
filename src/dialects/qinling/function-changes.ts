import type { DialectRecord } from '../../control/index.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { codeIn, limitIn, objectIn, wordIn } from './code.ts'
import { type Deployer, nameOf, shownAs } from './deploy.ts'
import { type Archive, type FunctionForm, formIn } from './forms.ts'
import { latestOf, looseId } from './functions.ts'
import { type KeptJob, runningJobsOf } from './job-rules.ts'
import { type Code, type Kept, type KeptFunction, KINDS } from './kept.ts'
import type { AddRoute } from './routes.ts'
import type { ObjectStore } from './swift.ts'
import { functionView } from './views.ts'
import { runnerFor } from './workers.ts'

/** `PUT /v1/functions/<id>` */
export function functionChangeRoutes(
  add: AddRoute,
  kept: Kept,
  deployer: Deployer,
  objects: ObjectStore,
): void {
  add({ method: 'PUT', path: '/v1/functions/:id' }, async ({ caller, request, param }) => {
    const form = await formIn(request)
    const found = await kept.function(caller, looseId(param('id')))
    const { fields } = form
    const code = codeIn(fields)
    const timeout = limitIn(fields, 'timeout', found.body.timeout)
    const words = {
      ...(fields.has('name') && { name: wordIn(fields, 'name') }),
      ...(fields.has('description') && { description: wordIn(fields, 'description') }),
    }
    const isCode = code !== undefined || form.archive !== undefined
    const isMore = isCode || ['entry', 'cpu', 'memory_size'].some(each => fields.has(each))
    const change: Partial<KeptFunction> = {
      ...words,
      timeout,
      ...(isMore && {
        cpu: limitIn(fields, 'cpu', found.body.cpu),
        memorySize: limitIn(fields, 'memory_size', found.body.memorySize),
        ...(fields.has('entry') && found.body.code.source !== 'image' && { entry: wordIn(fields, 'entry') }),
      }),
    }
    if (isMore) await needNoJobs(found)
    const source = isCode ? await newCode(caller, found, code ?? {}, form) : undefined
    const next: KeptFunction = { ...found.body, ...change, ...(source && { code: source.code }) }
    if (isMore || timeout !== found.body.timeout) await redeploy(caller, found, next, source?.archive)
    const changed = await kept.change<KeptFunction>(KINDS.function, found, body => ({
      ...body,
      ...change,
      ...(source && { code: source.code }),
    }))
    return functionView(changed, await latestOf(kept, changed))
  })

  async function needNoJobs(found: DialectRecord<KeptFunction>): Promise<void> {
    const jobs = await kept.all<KeptJob>(KINDS.job, {})
    if (runningJobsOf(jobs, found.id, undefined).length > 0)
      throw new QinlingError(403, 'The function is still associated with running job(s).')
  }

  async function redeploy(
    caller: Caller,
    found: DialectRecord<KeptFunction>,
    next: KeptFunction,
    archive: Archive | undefined,
  ): Promise<void> {
    const by = await deployer.principalFor(caller, found.projectId)
    const shown = shownAs({ body: next })
    const runner = await runnerFor(kept, next)
    await deployer.deploy(caller, by, nameOf(found.id, 0), shown, next, runner, archive?.bytes)
  }

  /** The code that is to run from now on; `undefined` when it is what it was. */
  async function newCode(
    caller: Caller,
    { body }: DialectRecord<KeptFunction>,
    given: Readonly<Record<string, unknown>>,
    { fields, archive }: FunctionForm,
  ): Promise<{ code: Code; archive: Archive } | undefined> {
    const before = body.code
    const source = given['source'] ?? fields.get('source')
    if (source !== undefined && source !== before.source)
      throw new QinlingError(400, 'The function code type can not be changed.')
    if (before.source === 'image')
      throw new QinlingError(400, 'The image type function code can not be changed.')
    if (before.source === 'swift') {
      const object = objectIn(given)
      if (Object.keys(object).length === 0)
        throw new QinlingError(
          400,
          'Either container or object must be provided for swift type function update.',
        )
      const swift = { ...before.swift, ...object }
      return { code: { source: 'swift', swift }, archive: await objects.archive(caller, swift) }
    }
    const sum = given['md5sum']
    if (sum === before.md5sum) throw new QinlingError(400, 'The function code checksum is not changed.')
    if (archive === undefined) return undefined
    if (typeof sum === 'string' && sum !== '' && sum !== archive.md5)
      throw new QinlingError(400, 'Package md5 mismatch.')
    if (archive.md5 === before.md5sum) return undefined
    return { code: { source: 'package', md5sum: archive.md5 }, archive }
  }
}
