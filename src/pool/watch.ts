import {
  AtelierError,
  type Clock,
  type FunctionTable,
  type TableFunction,
  type TableVersion,
} from '../core/index.ts'
import type { Fleets } from './fleets.ts'
import { nameOf } from './refusals.ts'
import type { Scheduler } from './scheduler.ts'
import type { WarmShelves } from './warm.ts'

/** What a change of the table means for instances. */
export interface TableConsequences {
  /** Calls of `version` may come. */
  expect(version: TableVersion): void
  /** Keep so many instances of `version` warm, from now on. */
  keepWarm(version: TableVersion, instancesMin: number): void
  /** A function's versions that have a fleet. */
  knownVersions(functionId: string): Iterable<TableVersion>
  retire(versionId: string): void
  /** The function is deleted. */
  drop(functionId: string): void
}

/**
 * Follows the table: `instancesMin` holds for versions that an alias points to; the others are retired after
 * `retireAfterMs`, which spares a version that is rolled back to at once; deleted functions are dropped. The returned
 * function stops it.
 */
export function watchTable(
  table: FunctionTable,
  clock: Clock,
  retireAfterMs: number,
  then: TableConsequences,
): () => void {
  const retiring = new Map<string, () => void>() // version id to what cancels it; at most the versions with a fleet

  const follow = (entry: TableFunction): void => {
    const aliased = aliasedVersions(entry)
    for (const version of aliased) {
      retiring.get(version.id)?.()
      retiring.delete(version.id)
      then.expect(version)
      if (version.scaling.instancesMin > 0) then.keepWarm(version, version.scaling.instancesMin)
    }
    for (const version of then.knownVersions(entry.id)) {
      if (aliased.some(each => each.id === version.id)) continue
      then.keepWarm(version, 0)
      if (retiring.has(version.id)) continue
      const cancel = clock.after(retireAfterMs, () => {
        retiring.delete(version.id)
        then.retire(version.id)
      })
      retiring.set(version.id, cancel)
    }
  }

  const unsubscribe = table.subscribe(changes => {
    for (const change of changes) {
      if (change.kind !== 'function') continue
      if (change.value) follow(change.value)
      else then.drop(change.id)
    }
  })
  for (const entry of table.functions.values()) follow(entry)
  return () => {
    unsubscribe()
    for (const cancel of retiring.values()) cancel()
  }
}

function aliasedVersions(entry: TableFunction): TableVersion[] {
  const numbers = new Set<number>()
  for (const targets of entry.aliases.values())
    for (const { version, weight } of targets) if (weight > 0) numbers.add(version)
  return [...numbers].flatMap(number => entry.versions.get(number) ?? [])
}

/** What changes of the table do to the fleets of a pool. */
export function tableConsequences(
  fleets: Fleets,
  scheduler: Scheduler,
  warm: WarmShelves,
  retire: (versionId: string) => void,
): TableConsequences {
  return {
    expect: version => warm.wake(version),
    keepWarm(version, instancesMin) {
      const fleet = instancesMin > 0 ? fleets.ensure(version) : fleets.get(version.id)
      if (!fleet) return
      fleet.instancesMin = instancesMin
      if (instancesMin === 0) return
      fleet.isRetired = false
      scheduler.want(fleet)
    },
    knownVersions: functionId => fleets.versionsOf(functionId),
    retire,
    drop(functionId) {
      for (const fleet of fleets.of(functionId)) {
        fleet.instancesMin = 0
        fleet.line.failAll(new AtelierError('NOT_FOUND', `Function "${nameOf(fleet)}" has been deleted.`))
        retire(fleet.version.id)
      }
    },
  }
}
