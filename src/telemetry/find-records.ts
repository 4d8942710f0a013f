import { AtelierError, type Invocation, timeOfId } from '../core/index.ts'
import type { Answers, Question } from './answers.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { type RecordMeta, RecordRows } from './record-block.ts'
import { floorOf, type Segment } from './segment.ts'
import type { Block, SegmentFiles } from './segment-files.ts'
import type { InvocationFilter } from './telemetry.ts'

const BYTES_SEARCHED_MAX = 512 * 1024 ** 2 // for one page: about half a second
const ATTEMPTS_MAX = 1_000

/** A record that matches and waits for its place in the list. */
interface Candidate {
  readonly id: string
  readonly rows: RecordRows
  readonly row: number
}

/**
 * A page of records, newest first by id. Records are written when their calls end, so a block holds ids of long ago beside
 * new ones: blocks are opened by their greatest id, and a record has its place when no unopened block can hold a greater one.
 */
export function listRecords(files: SegmentFiles, question: Question<'invocations'>): Answers['invocations'] {
  const { projectId, filter, limit, cursor, mark } = question
  const since = floorOf(Math.max(question.sinceMs, filter.sinceMs ?? 0))
  const before = least(
    cursor === undefined ? undefined : readCursor(cursor),
    filter.untilMs === undefined ? undefined : floorOf(filter.untilMs),
  )
  const found: Candidate[] = []
  let waiting: Candidate[] = []
  /** Gives their places to all that wait and are not below `floor`; true when the page is full. */
  const settle = (floor: string): boolean => {
    waiting.sort((a, b) => (a.id < b.id ? 1 : -1))
    const below = waiting.findIndex(({ id }) => id < floor)
    const ready = below === -1 ? waiting : waiting.slice(0, below)
    waiting = below === -1 ? [] : waiting.slice(below)
    found.push(...ready)
    return found.length > limit
  }
  const page = (next: string | undefined): Answers['invocations'] => {
    const shown = found.slice(0, limit)
    const items = shown.map(({ rows, row }) => rows.recordOf(row))
    const places = shown.map(({ id }) => id)
    return { items, places, ...(next !== undefined && { next: writeCursor(next) }) }
  }
  const full = () => page(found[limit - 1]!.id)

  let searched = 0
  for (const segment of files.segments(projectId, 'records', mark).toReversed()) {
    const blocks = files
      .blocks<RecordMeta>(projectId, segment, mark)
      .filter(({ meta }) => meta.max >= since && (before === undefined || meta.min < before))
      .sort((a, b) => (a.meta.max < b.meta.max ? 1 : -1))
    for (const block of blocks) {
      const wanted = wantedIn(block.meta, filter)
      if (!wanted) continue
      const floor = `${block.meta.max}~`
      if (searched > BYTES_SEARCHED_MAX && (before === undefined || floor < before))
        return settle(floor) ? full() : page(floor) // enough for one page: the next goes on from here
      if (waiting.length > limit && settle(floor)) return full()
      searched += block.bodyBytes
      const body = files.body(projectId, segment, block)
      if (!body) continue
      const rows = new RecordRows(projectId, block.meta, body)
      for (let row = 0; row < rows.count; row++) {
        if (!wanted(rows, row)) continue
        const id = rows.idOf(row)
        if (id >= since && (before === undefined || id < before)) waiting.push({ id, rows, row })
      }
    }
    const ceiling = floorOf(segment.ceilingMs)
    if (settle(ceiling)) return full()
    if (ceiling <= since) break
  }
  return settle('') ? full() : page(undefined)
}

/** Of an asynchronous call the newest attempt. NOT_FOUND when there is none. */
export function oneRecord(files: SegmentFiles, question: Question<'invocation'>): Invocation {
  const { projectId, id, mark, sinceMs } = question
  const since = floorOf(sinceMs)
  if (id >= since)
    for (const segment of segmentsFrom(files, question)) {
      for (const block of files.blocks<RecordMeta>(projectId, segment, mark)) {
        if (id < block.meta.min || id > block.meta.max) continue
        const rows = rowsWith(files, projectId, segment, block, id)
        if (!rows) continue
        for (let row = 0; row < rows.count; row++)
          if (rows.idOf(row) === id && rows.callOf(row) === undefined) return rows.recordOf(row)
      }
    }
  const newest = listAttempts(files, { ...question, kind: 'attempts' }).at(-1)
  if (newest) return newest
  throw new AtelierError(
    'NOT_FOUND',
    `There is no invocation ${JSON.stringify(id.slice(0, 100))}, or its record is no longer kept.`,
  )
}

export function listAttempts(files: SegmentFiles, question: Question<'attempts'>): readonly Invocation[] {
  const { projectId, id, mark, sinceMs } = question
  const since = floorOf(sinceMs)
  const found: Candidate[] = []
  for (const segment of segmentsFrom(files, question))
    for (const block of files.blocks<RecordMeta>(projectId, segment, mark)) {
      if (!block.meta.hasAttempts || block.meta.max < since) continue
      const rows = rowsWith(files, projectId, segment, block, id)
      if (!rows) continue
      for (let row = 0; row < rows.count; row++)
        if (rows.callOf(row) === id && rows.idOf(row) >= since) found.push({ id: rows.idOf(row), rows, row })
    }
  return found
    .map(({ id: own, rows, row }) => ({ own, record: rows.recordOf(row) }))
    .sort((a, b) => (a.record.attempt ?? 0) - (b.record.attempt ?? 0) || (a.own < b.own ? -1 : 1))
    .slice(-ATTEMPTS_MAX)
    .map(({ record }) => record)
}

/** Oldest first, from the one that was written when the id was made: what has this id was written then or later. */
function segmentsFrom(
  files: SegmentFiles,
  { projectId, id, mark }: Question<'invocation' | 'attempts'>,
): readonly Segment[] {
  const madeMs = timeOfId(id)
  const segments = files.segments(projectId, 'records', mark)
  return segments.filter((_, i) => {
    const next = segments[i + 1]
    return next === undefined || !(next.ceilingMs <= madeMs)
  })
}

function rowsWith(
  files: SegmentFiles,
  projectId: string,
  segment: Segment,
  block: Block<RecordMeta>,
  id: string,
): RecordRows | undefined {
  const body = files.body(projectId, segment, block)
  const rows = body && new RecordRows(projectId, block.meta, body)
  return rows?.mayHold(id) ? rows : undefined
}

type Wanted = (rows: RecordRows, row: number) => boolean

/** Which records of a block the filter leaves; `undefined` when none can be. */
function wantedIn({ sources, words }: RecordMeta, filter: InvocationFilter): Wanted | undefined {
  const isWanted = sources.map(
    each =>
      (filter.functionId === undefined || each.functionId === filter.functionId) &&
      (filter.appName === undefined || each.appName === filter.appName) &&
      (filter.functionName === undefined || each.functionName === filter.functionName) &&
      (filter.version === undefined || each.version === filter.version) &&
      (filter.trigger === undefined || each.trigger === filter.trigger) &&
      (filter.triggerName === undefined || each.triggerName === filter.triggerName),
  )
  const status = filter.status === undefined ? undefined : words.indexOf(filter.status)
  if (!isWanted.includes(true) || status === -1) return undefined
  return (rows, row) =>
    isWanted[rows.sourceOf(row)]! && (status === undefined || rows.statusOf(row) === status)
}

function least(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a < b ? a : b
}
