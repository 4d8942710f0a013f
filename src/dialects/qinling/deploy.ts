import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { DeployRequest, DialectRecord } from '../../control/index.ts'
import { AtelierError, type Principal, type TableFunction } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { entryOf, type Language, type Runner } from './images.ts'
import type { KeptFunction, Running } from './kept.ts'
import { unwrapped, wrapped } from './tar.ts'
import { CODE_FOLDER, unpackedBeside } from './unzip.ts'

/** The app that Qinling's functions of a project are in. */
export const APP = 'qinling'

/** Executions that one worker takes at once: `function_concurrency`. */
const CONCURRENCY = 3
/** Qinling lent all roles of who made a function, an administrator's too. */
const LENT_ROLES = ['member']
const IDLE_MS = 3_600_000 // `function_service_expiration`
const MIB = 1024 * 1024
const PROCESSES_MAX = 160 // 128 of the code's own, and the runtime's
const RESULT_KEPT_MS = 30 * 86_400_000
/** What the platform waits longer than the runtime, which ends an execution itself: a cold start counts too. */
const TIMEOUT_GRACE_MS = 15_000

/** Our name of a function; of a version, which is a function of its own with all that it froze. */
export function nameOf(functionId: string, version: number): string {
  return version === 0 ? functionId : `${functionId}-${version}`
}

/** The function of the platform that stands for one of a project. */
export function targetOf(
  { table }: Pick<DialectParts, 'table'>,
  projectId: string,
  functionId: string,
  version: number,
): TableFunction | undefined {
  const project = table.projects.get(projectId)
  return project && table.byPath(project.name, APP, nameOf(functionId, version))
}

/** Functions of Qinling as functions of the platform. */
export class Deployer {
  readonly #parts: Pick<DialectParts, 'control' | 'identity' | 'table'>

  constructor(parts: Pick<DialectParts, 'control' | 'identity' | 'table'>) {
    this.#parts = parts
  }

  /** The caller as somebody of the project that a thing belongs to: what admins do to it stays its project's. */
  async principalFor(caller: Caller, projectId: string): Promise<Principal> {
    if (caller.projectId === projectId) return caller.principal
    if (!this.#parts.table.projects.has(projectId)) throw new QinlingError(404, 'Its project is gone')
    return this.#parts.identity.principalFor(caller.principal, { id: projectId }, caller.token ?? '')
  }

  /**
   * Publishes what is to run; without an archive, what ran before with other settings. `caller` lends new code the role of a member, so that it
   * acts in the project as Qinling's functions do by their trust; who cannot lend deploys all the same.
   */
  async deploy(
    caller: Caller,
    by: Principal,
    name: string,
    shownAs: string,
    running: Running,
    runner: Runner | undefined,
    archive: Buffer | undefined,
  ): Promise<void> {
    const publish = (token: Partial<DeployRequest>) =>
      this.#publish(by, name, shownAs, running, runner, archive, token)
    if (archive === undefined) return publish({ keepsToken: true })
    if (runner?.kind !== 'language' || !this.#maySign(caller, by)) return publish({ tokenRoles: [] })
    try {
      await publish({ tokenRoles: LENT_ROLES, callerToken: caller.token })
    } catch (error) {
      if (!isUnlent(error)) throw error
      await publish({ tokenRoles: [] })
    }
  }

  /** Whether the caller's own token may lend: an operator lends nothing to what is in another project. */
  #maySign({ principal, token }: Caller, { projectId }: Principal): boolean {
    const isOwn = principal.projectId === projectId && principal.delegation === undefined
    return isOwn && token !== undefined && this.#parts.identity.lending !== undefined
  }

  async #publish(
    by: Principal,
    name: string,
    shownAs: string,
    running: Running,
    runner: Runner | undefined,
    archive: Buffer | undefined,
    token: Partial<DeployRequest>,
  ): Promise<void> {
    const never = new AbortController().signal
    const isImage = running.code.source === 'image'
    await this.#parts.control.deploy(
      by,
      {
        app: APP,
        name,
        description: shownAs,
        access: 'private',
        ...(await this.#codeOf(by, name, running, runner, archive)),
        limits: {
          memoryMiB: Math.ceil(running.memorySize / MIB),
          cpuMillicores: running.cpu,
          timeoutMs: running.timeout * 1000 + (isImage ? 0 : TIMEOUT_GRACE_MS),
          concurrency: isImage ? 1 : CONCURRENCY,
          processesMax: PROCESSES_MAX,
        },
        scaling: { instancesMin: running.workers, idleMs: IDLE_MS },
        async: { retry: { attemptsMax: 1 }, resultKeptMs: RESULT_KEPT_MS },
        ...token,
      },
      () => {},
      never,
    )
  }

  /** What runs, and what it is made of. */
  async #codeOf(
    by: Principal,
    name: string,
    { code, entry }: Running,
    runner: Runner | undefined,
    archive: Buffer | undefined,
  ): Promise<Partial<DeployRequest>> {
    if (code.source === 'image') return { image: code.image, contract: 'stdio' }
    if (runner?.kind === 'language') {
      const { language } = runner
      const source = archive && packageOf(wrapped(archive))
      return { environment: language, entry: neededEntry(language, entry), ...source }
    }
    if (runner === undefined) throw new QinlingError(400, 'Its runtime is gone: make the function anew.')
    // A deploy of an image takes its code along each time.
    const sent = archive ?? (await this.archive(by, name))
    if (sent === undefined) throw new QinlingError(404, 'Its package is gone: make the function anew.')
    return {
      image: runner.image,
      contract: { name: 'qinling', code: CODE_FOLDER, ...(entry !== null && { functionName: entry }) },
      ...packageOf(await unpackedBeside(sent)),
    }
  }

  async delete(by: Principal, name: string): Promise<void> {
    await this.#parts.control.deleteFunction(by, APP, name).catch((error: unknown) => {
      if (!(error instanceof AtelierError && error.code === 'NOT_FOUND')) throw error
    })
  }

  /** The archive as it was sent. */
  async archive(by: Principal, name: string): Promise<Buffer | undefined> {
    const { control } = this.#parts
    try {
      const { items } = await control.listVersions(by, APP, name, { limit: 1 })
      const digest = items[0]?.spec.packageDigest
      if (digest === undefined) return undefined
      return unwrapped(await buffer(await control.readPackage(by, digest)))
    } catch (error) {
      if (error instanceof AtelierError && (error.code === 'NOT_FOUND' || error.code === 'GONE'))
        return undefined
      throw error
    }
  }
}

/** The caller has not this role, or a token that lends nothing. */
function isUnlent(error: unknown): boolean {
  if (!(error instanceof AtelierError)) return false
  if (error.code === 'FORBIDDEN' || error.code === 'NOT_IMPLEMENTED') return true
  return error.errors?.some(({ pointer }) => pointer === 'tokenRoles') ?? false
}

export function shownAs({ body }: Pick<DialectRecord<KeptFunction>, 'body'>, number = 0): string {
  const version = number === 0 ? '' : `, version ${number}`
  return `Qinling function ${body.name ?? ''}${version}`.trim()
}

function packageOf(tar: Buffer): Pick<DeployRequest, 'package'> {
  return { package: { source: Readable.from([tar]), fileName: 'package.tar' } }
}

function neededEntry(language: Language, entry: string | null): string {
  const ours = entryOf(language, entry ?? '')
  if (ours === undefined)
    throw new QinlingError(400, 'Invalid entry specified, it must be of the form module.function.')
  return ours
}
