import { type FunctionTable, strongerTier, type TableVersion } from '../core/index.ts'
import type { PoolEnvironment } from './options.ts'

const IN_GVISOR = '@gvisor' // no environment has such a name

/**
 * The environments with those that run in gVisor beside them: to the pool they are environments of their own, with generic
 * instances of their own once a function uses them.
 */
export function inEachTier(
  environments: ReadonlyMap<string, PoolEnvironment>,
): ReadonlyMap<string, PoolEnvironment> {
  const all = new Map(environments)
  for (const [name, environment] of environments) {
    const launch = { ...environment.launch, isolation: 'gvisor' as const }
    all.set(`${name}${IN_GVISOR}`, { ...environment, launch, warmsWhenUsed: true })
  }
  return all
}

/** The environment of a version's instances: in the tier that it asks for, and at least that of its project. */
export function environmentOf(version: TableVersion, table: FunctionTable): string {
  const least = table.projects.get(version.projectId)?.isolationMin
  const tier = strongerTier(version.isolation, least)
  return tier === 'gvisor' ? `${version.environment}${IN_GVISOR}` : version.environment
}

/** The name under which people know it. */
export function plainName(environment: string): string {
  return environment.endsWith(IN_GVISOR) ? environment.slice(0, -IN_GVISOR.length) : environment
}
