/** How long, and how much of it, is kept. */
export interface Retention {
  /** Records and logs older than this go. @default 7 days */
  readonly ageMs: number
  /** Usage sums older than this go. @default 400 days */
  readonly usageAgeMs: number
  /**
   * Size of all records and logs together. Beyond it, the project that holds the most loses its oldest first (records and
   * logs are looked at each by itself): nobody loses anything while holding less than an equal share. @default 2 GiB
   */
  readonly bytesMax: number
}

const SEGMENT_BYTES_MAX = 8 * 1024 ** 2
const SEGMENT_BYTES_MIN = 32 * 1024
const SEGMENTS_MIN = 64 // so that what goes at once is a small part
const SEGMENTS_PER_AGE = 7
const TIDY_AFTER_SEGMENTS = 4
const DAY_MS = 86_400_000

/** Segments go as a whole, so their size follows from how much is kept. */
export function segmentLimits({ ageMs, bytesMax }: Retention): {
  segmentBytes: number
  segmentAgeMs: number
} {
  const segmentBytes = Math.max(SEGMENT_BYTES_MIN, Math.min(SEGMENT_BYTES_MAX, bytesMax / SEGMENTS_MIN))
  return { segmentBytes, segmentAgeMs: Math.min(DAY_MS, ageMs / SEGMENTS_PER_AGE) }
}

/** So much is written between two times of tidying, which therefore makes so much room. */
export function tidyAfterBytes(retention: Retention): number {
  return TIDY_AFTER_SEGMENTS * segmentLimits(retention).segmentBytes
}
