/** How long an unused instance is worth keeping, learned from how a function was called. */
export interface KeepAlivePolicy {
  /** Nobody is recycled sooner; gaps shorter than this need no learning. @default 10 seconds */
  readonly idleMsMin: number
  /** Before so many gaps were seen, a function keeps its whole `idleMs`. @default 4 */
  readonly gapsMin: number
  /** The share of the gaps that keeping is meant to bridge. @default 0.95 */
  readonly coverage: number
  /** Kept so much longer than the gap to bridge, since gaps scatter. @default 1.25 */
  readonly margin: number
  /** If fewer gaps than this share can be bridged within `idleMs`, keeping is in vain. @default 0.2 */
  readonly worthwhile: number
  /** Instances beyond the first serve peaks; they are kept at most this long. @default 30 seconds */
  readonly surplusMs: number
}

export const KEEP_ALIVE_DEFAULT: KeepAlivePolicy = {
  idleMsMin: 10_000,
  gapsMin: 4,
  coverage: 0.95,
  margin: 1.25,
  worthwhile: 0.2,
  surplusMs: 30_000,
}

/** Gaps between calls of one function: a bucket for each factor of √2, from one second up to about 17 hours. */
export interface Gaps {
  readonly counts: number[]
  total: number
}

const BUCKETS = 32
const BUCKET_BASE_MS = 1_000
const TOTAL_MAX = 64 // then all counts are halved: yesterday's rhythm fades within some dozens of gaps

export function noGaps(): Gaps {
  return { counts: Array.from({ length: BUCKETS }, () => 0), total: 0 }
}

/** Adds one gap: the time in which the function had nothing to do. */
export function noteGap(gaps: Gaps, gapMs: number): void {
  const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(2 * Math.log2(gapMs / BUCKET_BASE_MS))))
  gaps.counts[bucket]!++
  gaps.total++
  if (gaps.total < TOTAL_MAX) return
  gaps.total = 0
  for (let i = 0; i < BUCKETS; i++) gaps.total += gaps.counts[i] = gaps.counts[i]! / 2
}

/**
 * Milliseconds that the last instance of a function may lie unused. `idleMsMax` is the function's own setting and the
 * upper bound. Without enough gaps, that bound; when most gaps are too long to bridge, the minimum; else the gap
 * that covers most of those that can be bridged, and a margin.
 */
export function keepAliveMs(gaps: Gaps | undefined, policy: KeepAlivePolicy, idleMsMax: number): number {
  const least = Math.min(policy.idleMsMin, idleMsMax)
  if (gaps === undefined || gaps.total < policy.gapsMin) return idleMsMax
  let bridgeable = 0
  for (let i = 0; i < BUCKETS && upperMs(i) <= idleMsMax; i++) bridgeable += gaps.counts[i]!
  if (bridgeable < gaps.total * policy.worthwhile) return least
  let seen = 0
  for (let i = 0; i < BUCKETS; i++) {
    seen += gaps.counts[i]!
    if (seen >= bridgeable * policy.coverage)
      return Math.min(idleMsMax, Math.max(least, upperMs(i) * policy.margin))
  }
  return idleMsMax
}

/** As `keepAliveMs`, for an instance beyond the first idle one. */
export function surplusKeepAliveMs(keepMs: number, policy: KeepAlivePolicy): number {
  return Math.min(keepMs, policy.surplusMs)
}

function upperMs(bucket: number): number {
  return BUCKET_BASE_MS * 2 ** ((bucket + 1) / 2)
}
