import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Question } from './answers.ts'
import type { Source } from './batch.ts'
import type { Mark } from './lane.ts'
import type { RecordMeta } from './record-block.ts'
import { foldedName, foldedThrough, segmentsAmong } from './segment.ts'
import type { SegmentFiles } from './segment-files.ts'
import { sumOf } from './sum-usage.ts'
import type { UsageRow } from './telemetry.ts'

const DAY_MS = 86_400_000
const ROWS_MAX = 100_000
const FILE = /^usage-(\d{4}-\d\d-\d\d)\.json$/

/**
 * Sums outlive the records. Each block of records holds what it adds; when a segment is closed, its sums are folded into a
 * file for each day, which says through which segment it is told: folding twice changes nothing.
 */
interface DayFile {
  readonly through: number
  readonly rows: readonly UsageRow[]
}

/** Sums per function and day, by day, app and function. */
export function readUsage(files: SegmentFiles, question: Question<'usage'>): readonly UsageRow[] {
  const { projectId, mark, fromDay, toDay, functionId } = question
  const folder = files.folderOf(projectId)
  const names = files.namesOf(folder)
  const days = new Map<string, { through: number; sums: Map<string, UsageRow> }>()
  const first = dayName(fromDay)
  const end = dayName(toDay)
  for (const name of names) {
    const day = FILE.exec(name)?.[1]
    if (day === undefined || day < first || day >= end) continue
    const { through, rows } = readDay(folder, day)
    days.set(day, { through, sums: new Map(rows.map(row => [row.functionId, row])) })
  }
  const folded = foldedThrough(names)
  for (const { number } of segmentsAmong(names, 'records')) {
    if (number <= folded || number > mark.number) continue
    for (const [day, sums] of sumsOf(files, projectId, number, mark)) {
      if (day < first || day >= end) continue
      let known = days.get(day)
      if (!known) days.set(day, (known = { through: 0, sums: new Map() }))
      if (known.through < number) for (const row of sums.values()) addTo(known.sums, row)
    }
  }
  return [...days.values()]
    .flatMap(({ sums }) => [...sums.values()])
    .filter(row => functionId === undefined || row.functionId === functionId)
    .sort(
      (a, b) => order(a.day, b.day) || order(a.appName, b.appName) || order(a.functionName, b.functionName),
    )
    .slice(0, ROWS_MAX)
}

/** Folds the segments after the last that was folded, up to and with `through`. */
export function foldUsage(files: SegmentFiles, folder: string, projectId: string, through: number): void {
  const names = files.namesOf(folder)
  const folded = foldedThrough(names)
  if (folded >= through) return
  const whole: Mark = { number: through, bytes: Number.MAX_SAFE_INTEGER }
  const added = new Map<string, { number: number; row: UsageRow }[]>()
  for (const { number } of segmentsAmong(names, 'records')) {
    if (number <= folded || number > through) continue
    for (const [day, sums] of sumsOf(files, projectId, number, whole)) {
      const rows = added.get(day) ?? []
      added.set(day, rows)
      for (const row of sums.values()) rows.push({ number, row })
    }
  }
  for (const [day, news] of added) {
    const known = readDay(folder, day)
    const sums = new Map(known.rows.map(row => [row.functionId, row]))
    for (const { number, row } of news) if (number > known.through) addTo(sums, row)
    writeDay(folder, day, { through, rows: [...sums.values()] })
  }
  const before = join(folder, foldedName(folded))
  const after = join(folder, foldedName(through))
  if (names.includes(foldedName(folded))) renameSync(before, after)
  else writeFileSync(after, '', { mode: 0o600 })
}

/** Removes the sums of days before this one. */
export function dropUsage(files: SegmentFiles, folder: string, beforeMs: number): void {
  const first = dayName(Math.floor(beforeMs / DAY_MS))
  for (const name of files.namesOf(folder)) {
    const day = FILE.exec(name)?.[1]
    if (day !== undefined && day < first) rmSync(join(folder, name), { force: true })
  }
}

/** What an older layout kept: the first that a project's folder gets. */
export function startUsage(folder: string, given: readonly UsageRow[]): void {
  for (const [day, ofDay] of Map.groupBy(given, row => row.day)) {
    const sums = new Map<string, UsageRow>()
    for (const row of ofDay) {
      const { functionId, appName, functionName, calls, errors, billedMs, memoryMiBMs, bytesIn, bytesOut } =
        row
      addTo(sums, {
        day,
        functionId,
        appName,
        functionName,
        calls,
        errors,
        billedMs,
        memoryMiBMs,
        bytesIn,
        bytesOut,
      })
    }
    writeDay(folder, day, { through: 0, rows: [...sums.values()] })
  }
}

/** What one segment adds, by day and function. */
function sumsOf(
  files: SegmentFiles,
  projectId: string,
  number: number,
  mark: Mark,
): Map<string, Map<string, UsageRow>> {
  const days = new Map<string, Map<string, UsageRow>>()
  const segment = files.segments(projectId, 'records', mark).find(each => each.number === number)
  if (!segment) return days
  for (const { meta } of files.blocks<RecordMeta>(projectId, segment, mark))
    for (const [place, day, calls, errors, billedMs, bytesIn, bytesOut] of meta.sums) {
      const source: Source = meta.sources[place]!
      const name = dayName(day)
      let sums = days.get(name)
      if (!sums) days.set(name, (sums = new Map()))
      const { functionId, appName, functionName, memoryMiB } = source
      const memoryMiBMs = billedMs * memoryMiB
      addTo(sums, {
        day: name,
        functionId,
        appName,
        functionName,
        calls,
        errors,
        billedMs,
        memoryMiBMs,
        bytesIn,
        bytesOut,
      })
    }
  return days
}

function addTo(sums: Map<string, UsageRow>, row: UsageRow): void {
  sums.set(row.functionId, sumOf(sums.get(row.functionId), row))
}

function readDay(folder: string, day: string): DayFile {
  try {
    return JSON.parse(readFileSync(dayPath(folder, day), 'utf8')) as DayFile
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { through: 0, rows: [] }
    throw error
  }
}

/** Whole or not at all, also when the power goes: sums are kept for longer than anything that they could be made of again. */
function writeDay(folder: string, day: string, file: DayFile): void {
  const path = dayPath(folder, day)
  writeFileSync(`${path}.new`, JSON.stringify(file), { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}

function dayPath(folder: string, day: string): string {
  return join(folder, `usage-${day}.json`)
}

function dayName(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
