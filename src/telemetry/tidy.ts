import { readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Question } from './answers.ts'
import { type Retention, segmentLimits, tidyAfterBytes } from './retention.ts'
import { foldedThrough, type Kind, type Segment, segmentsAmong } from './segment.ts'
import type { SegmentFiles } from './segment-files.ts'
import { dropUsage, foldUsage } from './usage.ts'

/** One project's segments of one kind. */
interface Held {
  readonly folder: string
  readonly segments: (Segment & { readonly bytes: number })[]
  bytes: number
}

/**
 * Folds the sums of closed segments, and removes what is too old or too much: whole files. The segment that is being
 * written is never touched; one that is older than the writer lets any become is not being written.
 */
export function tidy(files: SegmentFiles, root: string, { retention, nowMs }: Question<'tidy'>): void {
  const held: Held[] = []
  let problem: unknown
  for (const name of files.namesOf(root)) {
    const folder = join(root, name)
    const names = namesIn(folder)
    if (!names) continue
    const kinds: Kind[] = ['logs']
    try {
      // The name of the folder stands for the project: it leads to itself.
      const closed = closedThrough(segmentsAmong(names, 'records'), retention, nowMs)
      if (closed > foldedThrough(names)) foldUsage(files, folder, name, closed)
      kinds.push('records')
    } catch (error) {
      problem ??= error // records go after their sums are safe; on a full disk the logs make room for those
    }
    dropUsage(files, folder, nowMs - retention.usageAgeMs)
    for (const kind of kinds) {
      const one = keptOf(folder, names, kind, retention, nowMs)
      if (one.segments.length > 0) held.push(one)
    }
  }
  dropLargest(held, retention.bytesMax - tidyAfterBytes(retention))
  if (problem !== undefined) throw problem
}

function closedThrough(segments: readonly Segment[], retention: Retention, nowMs: number): number {
  const newest = segments.at(-1)
  if (!newest) return 0
  return isAbandoned(newest, retention, nowMs) ? newest.number : (segments.at(-2)?.number ?? 0)
}

/** Whether all that may stand in the newest segment is too old. */
function isAbandoned({ ceilingMs }: Segment, retention: Retention, nowMs: number): boolean {
  return ceilingMs + segmentLimits(retention).segmentAgeMs <= nowMs - retention.ageMs
}

/** Removes what is too old; gives what stays. */
function keptOf(
  folder: string,
  names: readonly string[],
  kind: Kind,
  retention: Retention,
  nowMs: number,
): Held {
  const held: Held = { folder, segments: [], bytes: 0 }
  const segments = segmentsAmong(names, kind)
  for (const [i, segment] of segments.entries()) {
    const path = join(folder, segment.name)
    const next = segments[i + 1]
    const isOld = next ? next.ceilingMs <= nowMs - retention.ageMs : isAbandoned(segment, retention, nowMs)
    if (isOld) rmSync(path, { force: true })
    else {
      const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0
      held.segments.push({ ...segment, bytes })
      held.bytes += bytes
    }
  }
  return held
}

/** As long as it is too much in all, who holds the most loses the oldest. */
function dropLargest(held: Held[], bytesMax: number): void {
  let bytes = 0
  for (const each of held) bytes += each.bytes
  held.sort((a, b) => b.bytes - a.bytes)
  while (bytes > bytesMax && held.length > 0) {
    const largest = held[0]!
    const oldest = largest.segments.length > 1 ? largest.segments.shift() : undefined
    if (oldest) {
      rmSync(join(largest.folder, oldest.name), { force: true })
      largest.bytes -= oldest.bytes
      bytes -= oldest.bytes
    }
    held.shift()
    if (!oldest) continue // what is being written stays
    const place = held.findIndex(each => each.bytes <= largest.bytes)
    held.splice(place === -1 ? held.length : place, 0, largest)
  }
}

function namesIn(folder: string): string[] | undefined {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}
