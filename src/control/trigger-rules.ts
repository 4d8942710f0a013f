import type { Transaction } from 'kysely'
import { AtelierError, type Principal } from '../core/index.ts'
import type { Tables } from '../store/index.ts'
import { checkTriggers } from './quota.ts'
import { Problems } from './validate.ts'

export interface TriggerFilter {
  readonly app?: string
  readonly function?: string
}

/** Throws QUOTA_EXCEEDED when the project has as many triggers as it may, CONFLICT when one has this name. */
export async function needRoomAndName(tx: Transaction<Tables>, by: Principal, name: string): Promise<void> {
  await needFreeName(tx, by, name)
  await checkTriggers(tx, by)
}

/** Throws CONFLICT when a trigger of any kind has this name. */
export async function needFreeName(tx: Transaction<Tables>, by: Principal, name: string): Promise<void> {
  // Two nodes that take a name at the same moment decide one after the other.
  await tx
    .updateTable('locks')
    .set(update => ({ taken: update('taken', '+', 1) }))
    .where('name', '=', 'trigger names')
    .execute()
  for (const table of ['triggers', 'event_triggers'] as const) {
    const taken = await tx
      .selectFrom(table)
      .select('id')
      .where('project_id', '=', by.projectId)
      .where('name', '=', name)
      .executeTakeFirst()
    if (taken) throw new AtelierError('CONFLICT', `There is a trigger "${name}" already.`)
  }
}

/** What triggers of any kind say of a function: its aliases, and its versions by their numbers. */
export async function qualifiersInUse(
  tx: Transaction<Tables>,
  functionId: string,
): Promise<readonly { readonly trigger: string; readonly qualifier: string }[]> {
  const used = []
  for (const table of ['triggers', 'event_triggers'] as const)
    used.push(
      ...(await tx
        .selectFrom(table)
        .select(['name as trigger', 'alias as qualifier'])
        .where('function_id', '=', functionId)
        .execute()),
    )
  return used
}

/** Throws INVALID_INPUT when a change names fields that triggers of its kind do not have. */
export function refuseFields(change: object, fields: readonly string[], what: string): void {
  const problems = new Problems()
  for (const field of fields) if (Object.hasOwn(change, field)) problems.add(field, `is no field of ${what}`)
  problems.throwIfAny()
}
