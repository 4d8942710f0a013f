/** A version that wants capacity. */
export interface Claim {
  /** Memory that its project's instances hold now. */
  readonly projectMemoryMiB: number
  /** When its project was last given capacity; any growing number. */
  readonly projectServedAt: number
  /** Memory that the version's own instances hold. */
  readonly versionMemoryMiB: number
  /** Since when its oldest call waits. */
  readonly waitingSince: number
}

/**
 * Who gets the next piece of capacity: the project that holds least, then the one served longest ago, and within
 * a project the version that holds least, then the one whose call waits longest. Index into `claims`; -1 when there are none.
 */
export function nextClaim(claims: readonly Claim[]): number {
  let best = -1
  for (let i = 0; i < claims.length; i++) if (best < 0 || goesFirst(claims[i]!, claims[best]!)) best = i
  return best
}

function goesFirst(a: Claim, b: Claim): boolean {
  if (a.projectMemoryMiB !== b.projectMemoryMiB) return a.projectMemoryMiB < b.projectMemoryMiB
  if (a.projectServedAt !== b.projectServedAt) return a.projectServedAt < b.projectServedAt
  if (a.versionMemoryMiB !== b.versionMemoryMiB) return a.versionMemoryMiB < b.versionMemoryMiB
  return a.waitingSince < b.waitingSince
}

/**
 * Whether a project that still has work for an instance must give it up to another that waits for capacity: only if
 * it holds at least as much as the other even after the exchange. So the exchange can never be wished back, and two
 * projects do not pass an instance to and fro.
 */
export function mustYield(
  holderMiB: number,
  instanceMiB: number,
  waiterMiB: number,
  needMiB: number,
): boolean {
  return holderMiB - instanceMiB >= waiterMiB + needMiB
}
