import type { LoadSpec } from './contract.ts'

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

/** `app/name`, as people know it. */
export function functionName({ function: { app, name } }: LoadSpec): string {
  return `${app}/${name}`
}
