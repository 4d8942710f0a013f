import type { Kysely, Transaction } from 'kysely'
import {
  AtelierError,
  type FunctionTable,
  LIVE_ALIAS,
  type Limits,
  type Principal,
  QUOTA_DEFAULT,
  type Quota,
  type Scaling,
} from '../core/index.ts'
import type { Tables } from '../store/index.ts'

type Db = Kysely<Tables> | Transaction<Tables>

type EffectiveQuota = Quota & Readonly<Record<keyof typeof QUOTA_DEFAULT, number>>

/** What a project holds of what the control plane counts. */
export type HeldQuota = Required<
  Pick<Quota, 'functions' | 'versions' | 'memoryMiB' | 'storageBytes' | 'triggers'>
>

/** What a deploy wants of its project. */
export interface Demand {
  /** Absent for a new function. */
  readonly functionId: string | undefined
  readonly limits: Limits
  readonly scaling: Scaling
}

/** What a deploy found before it wrote anything. */
interface Before {
  /** To be called at its end, when it has written and old versions went: throws QUOTA_EXCEEDED if more is there than may be. */
  check(tx: Transaction<Tables>): Promise<void>
}

/**
 * Throws QUOTA_EXCEEDED that says which of the project's quotas is used up; NOT_FOUND when the project is gone. Memory is what
 * always-on instances hold, and at least one instance of each function must fit; what runs beyond that is the pool's to limit.
 */
export async function checkQuotas(
  tx: Transaction<Tables>,
  by: Principal,
  table: FunctionTable,
  demand: Demand,
): Promise<Before> {
  const quota = await quotaOf(tx, by)
  if (demand.functionId === undefined) {
    const count = await countFunctions(tx, by.projectId)
    if (count >= quota.functions) throw exceeded(by, `${quota.functions} functions`, `${count} exist`)
  }
  if (quota.memoryMiB !== undefined) {
    const wanted = demand.limits.memoryMiB * Math.max(1, demand.scaling.instancesMin)
    const held = alwaysOnMiB(table, by.projectId, demand.functionId)
    if (wanted + held > quota.memoryMiB)
      throw exceeded(by, `${quota.memoryMiB} MiB of memory`, `${held} are reserved, and this needs ${wanted}`)
  }
  const bytesBefore = await countStorage(tx, by.projectId)
  return {
    async check(then) {
      const versions = await countVersions(then, by.projectId)
      if (versions > quota.versions)
        throw exceeded(
          by,
          `${quota.versions} versions`,
          `${versions - 1} exist: delete old ones, or functions`,
        )
      // What takes no more room than before is let through, also where the quota was lowered meanwhile.
      const added = (await countStorage(then, by.projectId)) - bytesBefore
      if (added > 0 && bytesBefore + added > quota.storageBytes)
        throw exceeded(
          by,
          `${quota.storageBytes} bytes of packages and bundles`,
          `${bytesBefore} are stored, and this needs ${added} more`,
        )
    },
  }
}

/** Before a package comes: throws QUOTA_EXCEEDED when the project stores more than it may already. */
export async function checkRoomForPackage(db: Db, by: Principal): Promise<void> {
  const { storageBytes } = await quotaOf(db, by)
  const held = await countStorage(db, by.projectId)
  if (held > storageBytes)
    throw exceeded(
      by,
      `${storageBytes} bytes of packages and bundles`,
      `${held} are stored: delete functions or versions`,
    )
}

/** Throws QUOTA_EXCEEDED when one more trigger is one too many. */
export async function checkTriggers(tx: Transaction<Tables>, by: Principal): Promise<void> {
  const { triggers } = await quotaOf(tx, by)
  const count = await countTriggers(tx, by.projectId)
  if (count >= triggers) throw exceeded(by, `${triggers} triggers`, `${count} exist`)
}

/** How much a project holds now. */
export async function heldQuota(db: Db, table: FunctionTable, projectId: string): Promise<HeldQuota> {
  return {
    functions: await countFunctions(db, projectId),
    versions: await countVersions(db, projectId),
    memoryMiB: alwaysOnMiB(table, projectId, undefined),
    storageBytes: await countStorage(db, projectId),
    triggers: await countTriggers(db, projectId),
  }
}

async function quotaOf(db: Db, by: Principal): Promise<EffectiveQuota> {
  const project = await db
    .selectFrom('projects')
    .select('quota_json')
    .where('id', '=', by.projectId)
    .executeTakeFirst()
  if (!project) throw new AtelierError('NOT_FOUND', `There is no project "${by.projectName}" any more.`)
  return { ...QUOTA_DEFAULT, ...(JSON.parse(project.quota_json) as Quota) }
}

async function countFunctions(db: Db, projectId: string): Promise<number> {
  const { count } = await db
    .selectFrom('functions')
    .select(select => select.fn.countAll<number | string>().as('count'))
    .where('project_id', '=', projectId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

async function countVersions(db: Db, projectId: string): Promise<number> {
  const { count } = await db
    .selectFrom('versions')
    .innerJoin('functions', 'functions.id', 'versions.function_id')
    .select(select => select.fn.countAll<number | string>().as('count'))
    .where('functions.project_id', '=', projectId)
    .executeTakeFirstOrThrow()
  return Number(count)
}

async function countTriggers(db: Db, projectId: string): Promise<number> {
  let sum = 0
  for (const table of ['triggers', 'event_triggers'] as const) {
    const { count } = await db
      .selectFrom(table)
      .select(select => select.fn.countAll<number | string>().as('count'))
      .where('project_id', '=', projectId)
      .executeTakeFirstOrThrow()
    sum += Number(count)
  }
  return sum
}

async function countStorage(db: Db, projectId: string): Promise<number> {
  let sum = 0
  for (const table of ['packages', 'bundles'] as const) {
    const { bytes } = await db
      .selectFrom(table)
      .select(select => select.fn.sum<number | string | null>('size_bytes').as('bytes'))
      .where('project_id', '=', projectId)
      .executeTakeFirstOrThrow()
    sum += Number(bytes ?? 0)
  }
  return sum
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
