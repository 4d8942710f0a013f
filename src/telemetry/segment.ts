import { createHash } from 'node:crypto'
import { leastId } from '../core/index.ts'

export type Kind = 'records' | 'logs'

/** One append-only file of a project's records or logs. Its name says what a reader must know before it opens it. */
export interface Segment {
  readonly name: string
  readonly kind: Kind
  /** Grows by one with each segment of the project and the kind. */
  readonly number: number
  /** All segments with smaller numbers hold only ids (of logs: times) before `leastId(ceilingMs)`. */
  readonly ceilingMs: number
}

/** What came from an older layout has smaller numbers. */
export const FIRST_NUMBER = 1_000_001

const NAME = /^(records|logs)-(\d{8})-(\d{15})$/
const FOLDED = /^folded-(\d{8})$/

export function segmentName(kind: Kind, number: number, ceilingMs: number): string {
  return `${kind}-${padded(number)}-${String(ceilingMs).padStart(15, '0')}`
}

/** The segments among the names of a project's folder, oldest first. */
export function segmentsAmong(names: readonly string[], kind: Kind): Segment[] {
  const found: Segment[] = []
  for (const name of names) {
    const match = NAME.exec(name)
    if (match?.[1] === kind) found.push({ name, kind, number: Number(match[2]), ceilingMs: Number(match[3]) })
  }
  return found.sort((a, b) => a.number - b.number)
}

/** Sums of all segments of records up to this number stand in the files of usage. */
export function foldedThrough(names: readonly string[]): number {
  return Math.max(0, ...names.map(name => Number(FOLDED.exec(name)?.[1] ?? 0)))
}

export function foldedName(through: number): string {
  return `folded-${padded(through)}`
}

/** The folder of a project: its id, where that can be the name of a folder. */
export function projectFolder(projectId: string): string {
  if (/^(?:[\w-]{1,64}|~[0-9a-f]{64})$/.test(projectId)) return projectId
  return `~${createHash('sha256').update(projectId).digest('hex')}`
}

/** The first id that is not before `ms`. */
export function floorOf(ms: number): string {
  return leastId(Math.max(0, Math.floor(ms)))
}

function padded(number: number): string {
  return String(number).padStart(8, '0')
}
