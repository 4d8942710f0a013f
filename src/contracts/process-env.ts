import { createHash } from 'node:crypto'
import { AtelierError } from '../core/index.ts'
import type { LoadSpec, StartSpec } from './contract.ts'

/**
 * The environment of a tenant's own process: configuration and secrets, and who it is. The latter wins: code may rely on it.
 */
export function processEnv(spec: LoadSpec): Record<string, string> {
  const { project, app, name, version } = spec.function
  return {
    ...spec.config,
    ...spec.secrets,
    ATELIER_PROJECT: project,
    ATELIER_APP: app,
    ATELIER_FUNCTION: name,
    ATELIER_VERSION: String(version),
    ATELIER_INSTANCE: spec.instance,
    ATELIER_MEMORY_MIB: String(spec.memoryMiB),
    ATELIER_TIMEOUT_MS: String(spec.timeoutMs),
  }
}

/** Where the code that a runtime is given lies inside, from the choice's `code`. */
export function codePath({ choice }: StartSpec): string {
  return choice.code === undefined ? CODE : `${CODE}/${choice.code}`
}

const CODE = '/function'

/** Throws FUNCTION_LOAD_FAILED where processes have no files of their own in which a runtime could find its function. */
export function needOwnFiles(spec: StartSpec): void {
  if (spec.port === undefined) return
  throw new AtelierError(
    'FUNCTION_LOAD_FAILED',
    `Function "${functionName(spec)}" needs a sandbox: contract "${spec.choice.name}" cannot be used without isolation.`,
  )
}

/** An id that stays the same for a function, as a UUID (version 8, RFC 9562). */
export function functionUid({ function: { project, app, name } }: LoadSpec): string {
  const hex = createHash('sha256').update(`${project}/${app}/${name}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** `app/name`, as people know it. */
export function functionName({ function: { app, name } }: LoadSpec): string {
  return `${app}/${name}`
}

/** The version that a process is for; without one there is nothing to prepare, which is a mistake of ours. */
export function needStart(start: StartSpec | undefined): StartSpec {
  if (start === undefined) throw new Error('such a process is started for one version')
  return start
}
