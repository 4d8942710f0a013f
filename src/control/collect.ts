import { type Expression, expressionBuilder, type SqlBool } from 'kysely'
import type { Tables } from '../store/index.ts'
import type { Context } from './context.ts'
import { giveBackUnused } from './function-token.ts'

const AGE_MS = 3_600_000 // younger ones may be a deploy's that has not committed, or an instance's that is draining

export interface Collected {
  readonly removed: number
  readonly freedBytes: number
  /** Deploys were on their way: nothing was looked at. */
  readonly skipped: boolean
}

/**
 * Removes packages and bundles that no version needs. It and deploys keep out of each other's way: a deploy may be about
 * to use again what nothing refers to at the moment.
 */
export class Collector {
  readonly #context: Context
  #deploys = 0
  #running: Promise<Collected> | undefined

  constructor(context: Context) {
    this.#context = context
  }

  async whileDeploying<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running) await this.#running.catch(() => undefined)
    this.#deploys++
    try {
      return await work()
    } finally {
      this.#deploys--
    }
  }

  async collect(): Promise<Collected> {
    if (this.#running) return this.#running
    if (this.#deploys > 0) return { removed: 0, freedBytes: 0, skipped: true }
    this.#running = this.#collect()
    try {
      return await this.#running
    } finally {
      this.#running = undefined
    }
  }

  async #collect(): Promise<Collected> {
    const { store, clock, options, releasedBundles } = this.#context
    const before = clock.now() - AGE_MS
    await this.#removePackageRows(before)
    await this.#removeBundleRows(before)
    const packages = await store.db.selectFrom('packages').select('digest').distinct().execute()
    const versions = await store.db
      .selectFrom('versions')
      .select(['package_digest', 'bundle_digest'])
      .distinct()
      .execute()
    const keep = {
      packages: new Set([...packages.map(row => row.digest), ...versions.map(row => row.package_digest)]),
      bundles: new Set([...versions.map(row => row.bundle_digest), ...releasedBundles.since(before)]),
    }
    const collected = await options.builder.collect(keep, AGE_MS)
    await giveBackUnused(this.#context, before)
    return { ...collected, skipped: false }
  }

  /** A project's bundles that none of its versions names, and then the dependencies that none of its bundles shares. */
  async #removeBundleRows(createdBefore: number): Promise<void> {
    await this.#context.commit(async tx => {
      await tx
        .deleteFrom('bundles')
        .where('kind', '=', 'bundle')
        .where('created_at', '<', createdBefore)
        .where(namedByNone('bundles', 'versions.bundle_digest'))
        .execute()
      const shared = await tx
        .selectFrom('bundles')
        .select(['project_id', 'dependencies'])
        .distinct()
        .where('dependencies', 'is not', null)
        .execute()
      const used = new Set(shared.map(row => `${row.project_id} ${row.dependencies}`))
      const found = await tx
        .selectFrom('bundles')
        .select(['project_id', 'digest'])
        .where('kind', '=', 'dependencies')
        .execute()
      for (const { project_id, digest } of found)
        if (!used.has(`${project_id} ${digest}`))
          await tx
            .deleteFrom('bundles')
            .where('project_id', '=', project_id)
            .where('digest', '=', digest)
            .execute()
    })
  }

  /** In one statement each: a deploy, here or on another node, comes before it or after it. */
  async #removePackageRows(createdBefore: number): Promise<void> {
    await this.#context.commit(tx =>
      tx
        .deleteFrom('packages')
        .where('created_at', '<', createdBefore)
        .where(namedByNone('packages', 'versions.package_digest'))
        .execute(),
    )
  }
}

/** Of a row of `table`: no version of its project names it. */
function namedByNone(
  table: 'packages' | 'bundles',
  named: 'versions.package_digest' | 'versions.bundle_digest',
): Expression<SqlBool> {
  const { not, exists, selectFrom } = expressionBuilder<Tables, typeof table>()
  return not(
    exists(
      selectFrom('versions')
        .innerJoin('functions', 'functions.id', 'versions.function_id')
        .select('versions.id')
        .whereRef(named, '=', `${table}.digest`)
        .whereRef('functions.project_id', '=', `${table}.project_id`),
    ),
  )
}
