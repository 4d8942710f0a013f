import type { Kysely } from 'kysely'
import { noSuch, type Principal } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type Context, need } from './context.ts'
import type { Control, PackageInfo } from './control.ts'

type PackageOperations = Pick<Control, 'getPackage' | 'listPackages' | 'readPackage' | 'readBuildLog'>

/** Code as it was given: a project sees what was deployed in it, though equal packages are stored once. */
export function packageOperations(context: Context): PackageOperations {
  const { store, cursors, options } = context
  return {
    async getPackage(by, digest) {
      need(by, 'read')
      return asPackage(await needPackage(store.db, by, digest))
    },

    async listPackages(by, request) {
      need(by, 'read')
      const list = `packages of ${by.projectId}`
      const { limit, after } = cursors.open(list, request)
      let query = store.db
        .selectFrom('packages')
        .select(['digest', 'size_bytes', 'file_name', 'created_at'])
        .where('project_id', '=', by.projectId)
      if (after) {
        const [at, digest] = [Number(after[0]), String(after[1])]
        query = query.where(where =>
          where.or([
            where('created_at', '<', at),
            where.and([where('created_at', '=', at), where('digest', '>', digest)]),
          ]),
        )
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('digest')
        .limit(limit + 1)
        .execute()
      return cursors.page(list, rows, limit, row => [row.created_at, row.digest], asPackage)
    },

    async readPackage(by, digest) {
      need(by, 'read')
      await needPackage(store.db, by, digest)
      return options.builder.openPackage(digest)
    },

    async readBuildLog(by, digest) {
      need(by, 'read')
      return (await needPackage(store.db, by, digest)).build_log
    },
  }
}

async function needPackage(db: Kysely<Tables>, by: Principal, digest: string) {
  const row = await db
    .selectFrom('packages')
    .selectAll()
    .where('project_id', '=', by.projectId)
    .where('digest', '=', digest)
    .executeTakeFirst()
  if (!row) throw noSuch('package', digest)
  return row
}

function asPackage(row: {
  digest: string
  size_bytes: number
  file_name: string
  created_at: number
}): PackageInfo {
  return {
    digest: row.digest,
    sizeBytes: row.size_bytes,
    fileName: row.file_name,
    createdAt: row.created_at,
  }
}
