import type { Kysely, Transaction } from 'kysely'
import { type Alias, type AliasTarget, AtelierError, checkName, LIVE_ALIAS, noSuch } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { type Context, checkRevision, need } from './context.ts'
import type { Control } from './control.ts'
import { needFunction } from './functions.ts'
import { type PastTargets, previousTargets, sameTargets } from './history.ts'
import { asAlias, asTargets } from './rows.ts'
import { qualifiersInUse } from './trigger-rules.ts'
import { Problems } from './validate.ts'
import { needVersion } from './versions.ts'

type AliasOperations = Pick<Control, 'rollback' | 'getAlias' | 'listAliases' | 'putAlias' | 'deleteAlias'>

const ALIASES_MAX = 100 // of one function
const TARGETS_MAX = 10
const HISTORY_MAX = 50 // how far back a rollback can go

export function aliasOperations(context: Context): AliasOperations {
  const { store, clock } = context
  return {
    async getAlias(by, app, name, alias) {
      need(by, 'read')
      const { id } = await needFunction(store.db, by, app, name)
      return needAlias(store.db, id, alias)
    },

    async listAliases(by, app, name) {
      need(by, 'read')
      const { id } = await needFunction(store.db, by, app, name)
      const rows = await store.db
        .selectFrom('aliases')
        .selectAll()
        .where('function_id', '=', id)
        .orderBy('name')
        .execute()
      return rows.map(asAlias)
    },

    async putAlias(by, app, name, alias, targets, expected) {
      need(by, 'write')
      checkAliasName(alias)
      checkTargets(targets)
      return context.commit(async (tx, touched) => {
        const { id } = await needFunction(tx, by, app, name)
        const before = await findAlias(tx, id, alias)
        // Revision 0 is what is not there yet.
        checkRevision(`Alias "${alias}"`, before?.revision ?? 0, expected)
        for (const target of targets) await needVersion(tx, id, target.version)
        if (!before) await checkAliasCount(tx, id, name)
        touched.functions.add(id)
        return moveAlias(tx, id, alias, targets, clock.now())
      })
    },

    async deleteAlias(by, app, name, alias, expected) {
      need(by, 'write')
      await context.commit(async (tx, touched) => {
        const { id } = await needFunction(tx, by, app, name)
        const before = await needAlias(tx, id, alias)
        checkRevision(`Alias "${alias}"`, before.revision, expected)
        if (alias === LIVE_ALIAS)
          throw new AtelierError('CONFLICT', `The alias "${LIVE_ALIAS}" stays: delete the function instead.`)
        const user = (await qualifiersInUse(tx, id)).find(each => each.qualifier === alias)
        if (user)
          throw new AtelierError(
            'CONFLICT',
            `The trigger "${user.trigger}" uses the alias "${alias}": change it first.`,
          )
        for (const table of ['aliases', 'alias_history'] as const)
          await tx.deleteFrom(table).where('function_id', '=', id).where('name', '=', alias).execute()
        touched.functions.add(id)
      })
    },

    async rollback(by, app, name, version) {
      need(by, 'write')
      return context.commit(async (tx, touched) => {
        const { id } = await needFunction(tx, by, app, name)
        const live = await needAlias(tx, id, LIVE_ALIAS)
        touched.functions.add(id)
        if (version !== undefined) {
          const target = await needVersion(tx, id, version)
          const alias = await moveAlias(tx, id, LIVE_ALIAS, [{ version, weight: 100 }], clock.now())
          return { alias, version: target }
        }
        const past = previousTargets(
          await historyOf(tx, id, LIVE_ALIAS),
          live.targets,
          await versionsOf(tx, id),
        )
        const [main] = past?.targets ?? []
        if (!past || !main)
          throw new AtelierError(
            'CONFLICT',
            `Nothing was live before version ${live.targets[0]?.version} of "${name}": name the version to go to.`,
          )
        await tx
          .deleteFrom('alias_history')
          .where('function_id', '=', id)
          .where('name', '=', LIVE_ALIAS)
          .where('sequence', '>=', past.sequence)
          .execute()
        const alias = await writeAlias(tx, live, past.targets, clock.now())
        return { alias, version: await needVersion(tx, id, main.version) }
      })
    },
  }
}

/** Points an alias, new or not, to `targets` (which exist), and remembers what it pointed to. */
export async function moveAlias(
  tx: Transaction<Tables>,
  functionId: string,
  name: string,
  targets: readonly AliasTarget[],
  now: number,
): Promise<Alias> {
  const before = await findAlias(tx, functionId, name)
  if (!before) {
    const row = {
      function_id: functionId,
      name,
      targets_json: targetsJson(targets),
      revision: 1,
      updated_at: now,
    }
    await tx.insertInto('aliases').values(row).execute()
    return asAlias(row)
  }
  if (sameTargets(before.targets, targets)) return before
  const [newest] = (await historyOf(tx, functionId, name)).map(past => past.sequence).sort((a, b) => b - a)
  const sequence = (newest ?? 0) + 1
  await tx
    .insertInto('alias_history')
    .values({
      function_id: functionId,
      name,
      sequence,
      targets_json: targetsJson(before.targets),
      created_at: now,
    })
    .execute()
  await tx
    .deleteFrom('alias_history')
    .where('function_id', '=', functionId)
    .where('name', '=', name)
    .where('sequence', '<=', sequence - HISTORY_MAX)
    .execute()
  return writeAlias(tx, before, targets, now)
}

async function writeAlias(
  tx: Transaction<Tables>,
  before: Alias,
  targets: readonly AliasTarget[],
  now: number,
): Promise<Alias> {
  const change = { targets_json: targetsJson(targets), revision: before.revision + 1, updated_at: now }
  await tx
    .updateTable('aliases')
    .set(change)
    .where('function_id', '=', before.functionId)
    .where('name', '=', before.name)
    .execute()
  return { ...before, targets: asTargets(change.targets_json), revision: change.revision, updatedAt: now }
}

export async function historyOf(
  db: Kysely<Tables>,
  functionId: string,
  name: string,
): Promise<PastTargets[]> {
  const rows = await db
    .selectFrom('alias_history')
    .select(['sequence', 'targets_json'])
    .where('function_id', '=', functionId)
    .where('name', '=', name)
    .execute()
  return rows.map(row => ({ sequence: row.sequence, targets: asTargets(row.targets_json) }))
}

/** Whether calls of a function can be sent to `qualifier`: an alias, or a version's number. */
export async function needQualifier(
  db: Kysely<Tables>,
  functionId: string,
  qualifier: string,
): Promise<void> {
  if (/^\d{1,9}$/.test(qualifier)) await needVersion(db, functionId, Number(qualifier))
  else await needAlias(db, functionId, qualifier)
}

async function needAlias(db: Kysely<Tables>, functionId: string, name: string): Promise<Alias> {
  const alias = await findAlias(db, functionId, name)
  if (!alias) throw noSuch('alias', name)
  return alias
}

async function findAlias(db: Kysely<Tables>, functionId: string, name: string): Promise<Alias | undefined> {
  const row = await db
    .selectFrom('aliases')
    .selectAll()
    .where('function_id', '=', functionId)
    .where('name', '=', name)
    .executeTakeFirst()
  return row && asAlias(row)
}

async function versionsOf(db: Kysely<Tables>, functionId: string): Promise<Set<number>> {
  const rows = await db
    .selectFrom('versions')
    .select('number')
    .where('function_id', '=', functionId)
    .execute()
  return new Set(rows.map(row => row.number))
}

async function checkAliasCount(tx: Transaction<Tables>, functionId: string, name: string): Promise<void> {
  const { count } = await tx
    .selectFrom('aliases')
    .select(select => select.fn.countAll<number | string>().as('count'))
    .where('function_id', '=', functionId)
    .executeTakeFirstOrThrow()
  if (Number(count) >= ALIASES_MAX)
    throw new AtelierError('QUOTA_EXCEEDED', `Function "${name}" has ${count} aliases, which is the most.`)
}

function checkAliasName(alias: string): void {
  checkName(alias, 'alias')
  if (!/^\d+$/.test(alias)) return
  const problems = new Problems()
  problems.add('alias', `"${alias}" would read as a version's number: use a letter too`)
  problems.throwIfAny()
}

function checkTargets(targets: readonly AliasTarget[]): void {
  const problems = new Problems()
  if (targets.length < 1 || targets.length > TARGETS_MAX)
    problems.add('targets', `must be 1 to ${TARGETS_MAX} versions with weights`)
  const seen = new Set<number>()
  for (const [index, { version, weight }] of targets.entries()) {
    if (!Number.isInteger(version) || version < 1)
      problems.add(`targets[${index}].version`, 'must be the number of a version')
    if (seen.has(version)) problems.add(`targets[${index}].version`, `names version ${version} again`)
    seen.add(version)
    if (!Number.isInteger(weight) || weight < 1 || weight > 100)
      problems.add(`targets[${index}].weight`, 'must be a whole number from 1 to 100')
  }
  const sum = targets.reduce((total, target) => total + target.weight, 0)
  if (targets.length > 0 && sum !== 100)
    problems.add('targets', `have weights that sum to ${sum}, not to 100`)
  problems.throwIfAny()
}

// Only what is ours, in one order: the text is compared and kept.
function targetsJson(targets: readonly AliasTarget[]): string {
  return JSON.stringify(targets.map(({ version, weight }) => ({ version, weight })))
}
