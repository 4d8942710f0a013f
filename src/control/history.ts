import type { AliasTarget } from '../core/index.ts'

/** What an alias pointed to before; newest with the greatest sequence. */
export interface PastTargets {
  readonly sequence: number
  readonly targets: readonly AliasTarget[]
}

/**
 * What a rollback goes back to: the newest past whose versions are all still there and which is not what is live anyway.
 * That entry and those after it are used up, so rolling back again goes further. `undefined`: there is nothing before.
 */
export function previousTargets(
  history: readonly PastTargets[],
  current: readonly AliasTarget[],
  kept: ReadonlySet<number>,
): PastTargets | undefined {
  const newestFirst = [...history].sort((a, b) => b.sequence - a.sequence)
  return newestFirst.find(
    past => past.targets.every(target => kept.has(target.version)) && !sameTargets(past.targets, current),
  )
}

/** Whether both send the same share of calls to the same versions. */
export function sameTargets(a: readonly AliasTarget[], b: readonly AliasTarget[]): boolean {
  const shares = new Map(a.map(target => [target.version, target.weight]))
  return a.length === b.length && b.every(target => shares.get(target.version) === target.weight)
}

export interface RetentionInput {
  /** Numbers of all versions that there are. */
  readonly versions: readonly number[]
  readonly aliases: readonly (readonly AliasTarget[])[]
  /** Of each alias, what it pointed to last: so that there is a way back. */
  readonly lasts: readonly (readonly AliasTarget[])[]
  /** Numbers that triggers name. */
  readonly pinned: readonly number[]
  readonly keep: number
}

/** The versions that nobody needs: all but the newest `keep` and those that something points to. */
export function versionsToRemove(input: RetentionInput): number[] {
  const newest = [...input.versions].sort((a, b) => b - a).slice(0, Math.max(1, input.keep))
  const targets = [...input.aliases, ...input.lasts].flat().map(target => target.version)
  const needed = new Set([...newest, ...targets, ...input.pinned])
  return input.versions.filter(number => !needed.has(number))
}
