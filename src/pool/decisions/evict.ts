import { mustYield } from './fair.ts'

/** An instance that holds no call and could make room. */
export interface Spare {
  readonly memoryMiB: number
  readonly generic: boolean
  readonly idleSince: number
  /** One of those that `instancesMin` keeps warm. */
  readonly kept: boolean
  /** Memory that its project's instances hold. */
  readonly projectMemoryMiB: number
}

/** What is missing for a start, and for whom. */
export interface Shortage {
  readonly memoryMiB: number
  readonly instances: number
  readonly projectMemoryMiB: number
  readonly needMiB: number
}

/**
 * Which spare instances to remove so that a start fits: generic ones first (they are nobody's), then the one unused
 * longest. Those kept warm by `instancesMin` go last, and only if their project holds more than the one that waits.
 * Indexes into `spares`; empty when even all of them would not do, so that nothing is removed in vain.
 */
export function chooseEvictions(spares: readonly Spare[], shortage: Shortage): readonly number[] {
  const order = spares
    .map((spare, index) => ({ spare, index }))
    .filter(
      ({ spare }) =>
        !spare.kept ||
        mustYield(spare.projectMemoryMiB, spare.memoryMiB, shortage.projectMemoryMiB, shortage.needMiB),
    )
    .sort((a, b) => rank(a.spare) - rank(b.spare) || a.spare.idleSince - b.spare.idleSince)
  const chosen: number[] = []
  let memoryMiB = 0
  for (const { spare, index } of order) {
    if (memoryMiB >= shortage.memoryMiB && chosen.length >= shortage.instances) break
    chosen.push(index)
    memoryMiB += spare.memoryMiB
  }
  return memoryMiB >= shortage.memoryMiB && chosen.length >= shortage.instances ? chosen : []
}

function rank(spare: Spare): number {
  if (spare.generic) return 0
  return spare.kept ? 2 : 1
}
