import type { Transaction } from 'kysely'
import type { BuildResult } from '../builder/index.ts'
import type { Principal } from '../core/index.ts'
import type { Tables } from '../store/index.ts'

/** A package that was received, now or for an earlier deploy. */
export interface Source {
  readonly digest: string
  readonly sizeBytes: number
  readonly fileName: string
}

/** The row of a package in its project, with the newest build's log. */
export async function keepPackage(
  tx: Transaction<Tables>,
  by: Principal,
  { digest, sizeBytes, fileName }: Source,
  log: string,
  now: number,
): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable('packages')
    .set({ build_log: log })
    .where('project_id', '=', by.projectId)
    .where('digest', '=', digest)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return
  await tx
    .insertInto('packages')
    .values({
      project_id: by.projectId,
      digest,
      size_bytes: sizeBytes,
      file_name: fileName.slice(-255),
      build_log: log,
      created_at: now,
    })
    .execute()
}

/** The rows of a bundle and of its dependencies in its project. */
export async function keepBundle(
  tx: Transaction<Tables>,
  by: Principal,
  { bundleDigest, size: { ownBytes, shared } }: BuildResult,
  now: number,
): Promise<void> {
  const rows = [
    {
      digest: bundleDigest,
      kind: 'bundle',
      size_bytes: ownBytes,
      dependencies: shared?.digest ?? null,
    } as const,
    ...(shared
      ? [
          {
            digest: shared.digest,
            kind: 'dependencies',
            size_bytes: shared.bytes,
            dependencies: null,
          } as const,
        ]
      : []),
  ]
  const known = await tx
    .selectFrom('bundles')
    .select('digest')
    .where('project_id', '=', by.projectId)
    .where(
      'digest',
      'in',
      rows.map(row => row.digest),
    )
    .execute()
  for (const row of rows)
    if (!known.some(each => each.digest === row.digest))
      await tx
        .insertInto('bundles')
        .values({ ...row, project_id: by.projectId, created_at: now })
        .execute()
}
