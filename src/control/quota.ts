import type { Transaction } from 'kysely'
import {
  AtelierError,
  type FunctionTable,
  LIVE_ALIAS,
  type Limits,
  type Principal,
  type Quota,
  type Scaling,
} from '../core/index.ts'
import type { Tables } from '../store/index.ts'

/** What a deploy wants of its project. */
export interface Demand {
  /** Absent for a new function. */
  readonly functionId: string | undefined
  readonly limits: Limits
  readonly scaling: Scaling
  readonly packageDigest: string
  readonly packageBytes: number
}

/**
 * Throws QUOTA_EXCEEDED that says which of the project's quotas is used up; CONFLICT when the project is gone. Memory is what
 * always-on instances hold, and at least one instance of each function must fit; what runs beyond that is the pool's to limit.
 */
export async function checkQuotas(
  tx: Transaction<Tables>,
  by: Principal,
  table: FunctionTable,
  demand: Demand,
): Promise<void> {
  const project = await tx
    .selectFrom('projects')
    .select('quota_json')
    .where('id', '=', by.projectId)
    .executeTakeFirst()
  if (!project) throw new AtelierError('NOT_FOUND', `There is no project "${by.projectName}" any more.`)
  const quota = JSON.parse(project.quota_json) as Quota
  if (quota.functions !== undefined && demand.functionId === undefined) {
    const { count } = await tx
      .selectFrom('functions')
      .select(select => select.fn.countAll<number | string>().as('count'))
      .where('project_id', '=', by.projectId)
      .executeTakeFirstOrThrow()
    if (Number(count) >= quota.functions) throw exceeded(by, `${quota.functions} functions`, `${count} exist`)
  }
  if (quota.memoryMiB !== undefined) {
    const wanted = demand.limits.memoryMiB * Math.max(1, demand.scaling.instancesMin)
    const held = alwaysOnMiB(table, by.projectId, demand.functionId)
    if (wanted + held > quota.memoryMiB)
      throw exceeded(by, `${quota.memoryMiB} MiB of memory`, `${held} are reserved, and this needs ${wanted}`)
  }
  if (quota.storageBytes !== undefined) {
    const { bytes } = await tx
      .selectFrom('packages')
      .select(select => select.fn.sum<number | string | null>('size_bytes').as('bytes'))
      .where('project_id', '=', by.projectId)
      .where('digest', '!=', demand.packageDigest)
      .executeTakeFirstOrThrow()
    const held = Number(bytes ?? 0)
    if (held + demand.packageBytes > quota.storageBytes)
      throw exceeded(
        by,
        `${quota.storageBytes} bytes of packages`,
        `${held} are stored, and this has ${demand.packageBytes}`,
      )
  }
}

/** Memory of the instances that the project's other functions keep without a call. */
function alwaysOnMiB(table: FunctionTable, projectId: string, exceptFunctionId: string | undefined): number {
  let sum = 0
  for (const entry of table.functions.values()) {
    if (entry.projectId !== projectId || entry.id === exceptFunctionId) continue
    for (const { version } of entry.aliases.get(LIVE_ALIAS) ?? []) {
      const live = entry.versions.get(version)
      if (live) sum += live.limits.memoryMiB * live.scaling.instancesMin
    }
  }
  return sum
}

function exceeded(by: Principal, what: string, state: string): AtelierError {
  return new AtelierError('QUOTA_EXCEEDED', `Project "${by.projectName}" may have ${what}; ${state}.`)
}
