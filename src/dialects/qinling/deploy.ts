import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { DialectRecord } from '../../control/index.ts'
import { AtelierError, type Principal, type TableFunction } from '../../core/index.ts'
import type { DialectParts } from '../dialect.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { entryOf, type Language } from './images.ts'
import type { KeptFunction, Running } from './kept.ts'
import { unwrapped, wrapped } from './tar.ts'

/** The app that Qinling's functions of a project are in. */
export const APP = 'qinling'

/** Executions that one worker takes at once: `function_concurrency`. */
const CONCURRENCY = 3
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

  /** Publishes what is to run; without an archive, what ran before with other settings. */
  async deploy(
    by: Principal,
    name: string,
    shownAs: string,
    running: Running,
    language: Language | undefined,
    archive: Buffer | undefined,
  ): Promise<void> {
    const never = new AbortController().signal
    await this.#parts.control.deploy(
      by,
      {
        app: APP,
        name,
        description: shownAs,
        access: 'private',
        ...(running.code.source === 'image'
          ? { ...(archive === undefined && { image: running.code.image }), contract: 'stdio' }
          : { environment: needed(language), entry: neededEntry(needed(language), running.entry) }),
        ...(archive && {
          package: { source: Readable.from([wrapped(archive)]), fileName: 'package.tar' },
        }),
        limits: {
          memoryMiB: Math.ceil(running.memorySize / MIB),
          cpuMillicores: running.cpu,
          timeoutMs: running.timeout * 1000 + (running.code.source === 'image' ? 0 : TIMEOUT_GRACE_MS),
          concurrency: running.code.source === 'image' ? 1 : CONCURRENCY,
          processesMax: PROCESSES_MAX,
        },
        scaling: { instancesMin: running.workers, idleMs: IDLE_MS },
        async: { retry: { attemptsMax: 1 }, resultKeptMs: RESULT_KEPT_MS },
      },
      () => {},
      never,
    )
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

export function shownAs({ body }: Pick<DialectRecord<KeptFunction>, 'body'>, number = 0): string {
  const version = number === 0 ? '' : `, version ${number}`
  return `Qinling function ${body.name ?? ''}${version}`.trim()
}

function needed(language: Language | undefined): Language {
  if (language === undefined)
    throw new QinlingError(400, 'The image of its runtime cannot run packages on this server.')
  return language
}

function neededEntry(language: Language, entry: string | null): string {
  const ours = entryOf(language, entry ?? '')
  if (ours === undefined)
    throw new QinlingError(400, 'Invalid entry specified, it must be of the form module.function.')
  return ours
}
