import type { Kysely, Transaction } from 'kysely'
import { AtelierError, noSuch, type Version } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type Context, need } from './context.ts'
import type { Control } from './control.ts'
import { needFunction } from './functions.ts'
import { versionsToRemove } from './history.ts'
import { asTargets, asVersion } from './rows.ts'
import { qualifiersInUse } from './trigger-rules.ts'

type VersionOperations = Pick<Control, 'getVersion' | 'listVersions' | 'deleteVersion'>

export function versionOperations(context: Context): VersionOperations {
  const { store, cursors } = context
  return {
    async getVersion(by, app, name, version) {
      need(by, 'read')
      const { id } = await needFunction(store.db, by, app, name)
      return needVersion(store.db, id, version)
    },

    async listVersions(by, app, name, request) {
      need(by, 'read')
      const { id } = await needFunction(store.db, by, app, name)
      const list = `versions of ${id}`
      const { limit, after } = cursors.open(list, request)
      let query = store.db.selectFrom('versions').selectAll().where('function_id', '=', id)
      if (after) query = query.where('number', '<', Number(after[0]))
      const rows = await query
        .orderBy('number', 'desc')
        .limit(limit + 1)
        .execute()
      return cursors.page(list, rows, limit, row => [row.number], asVersion)
    },

    async deleteVersion(by, app, name, version) {
      need(by, 'write')
      await context.commit(async (tx, touched) => {
        const { id } = await needFunction(tx, by, app, name)
        const { id: versionId } = await needVersion(tx, id, version)
        const aliases = await tx.selectFrom('aliases').selectAll().where('function_id', '=', id).execute()
        const user = aliases.find(alias =>
          asTargets(alias.targets_json).some(each => each.version === version),
        )
        if (user)
          throw new AtelierError(
            'CONFLICT',
            `The alias "${user.name}" points to version ${version} of "${name}": move it first.`,
          )
        const pin = (await qualifiersInUse(tx, id)).find(each => Number(each.qualifier) === version)
        if (pin)
          throw new AtelierError(
            'CONFLICT',
            `The trigger "${pin.trigger}" uses version ${version} of "${name}": change it first.`,
          )
        await tx.deleteFrom('versions').where('id', '=', versionId).execute()
        touched.functions.add(id)
      })
    },
  }
}

/** The version of this number; NOT_FOUND says which there are. */
export async function needVersion(db: Kysely<Tables>, functionId: string, version: number): Promise<Version> {
  const row = await db
    .selectFrom('versions')
    .selectAll()
    .where('function_id', '=', functionId)
    .where('number', '=', version)
    .executeTakeFirst()
  if (!row) throw noSuch('version', version)
  return asVersion(row)
}

/** Deletes the versions of a function that nobody needs any more; see `versionsToRemove`. */
export async function removeOldVersions(
  tx: Transaction<Tables>,
  functionId: string,
  keep: number,
): Promise<void> {
  const versions = await tx
    .selectFrom('versions')
    .select('number')
    .where('function_id', '=', functionId)
    .execute()
  if (versions.length <= keep) return
  const aliases = await tx.selectFrom('aliases').selectAll().where('function_id', '=', functionId).execute()
  const history = await tx
    .selectFrom('alias_history')
    .select(['name', 'targets_json'])
    .where('function_id', '=', functionId)
    .orderBy('sequence')
    .execute()
  const lasts = new Map(history.map(past => [past.name, asTargets(past.targets_json)]))
  const numbers = versionsToRemove({
    versions: versions.map(row => row.number),
    aliases: aliases.map(alias => asTargets(alias.targets_json)),
    lasts: [...lasts.values()],
    // What is no number is an alias, which pins nothing.
    pinned: (await qualifiersInUse(tx, functionId)).map(each => Number(each.qualifier)),
    keep,
  })
  if (numbers.length === 0) return
  await tx
    .deleteFrom('versions')
    .where('function_id', '=', functionId)
    .where('number', 'in', numbers)
    .execute()
}
