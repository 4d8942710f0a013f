import { QinlingError } from './answers.ts'
import { shown } from './reading.ts'

const TIME =
  /^\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*(?:Z|UTC|[+-]\d{2}:?\d{2})?\s*$/i

/** UTC, to the second. */
export function showTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** A time that a caller gives, as UTC whatever zone it names; 400 for what is none. */
export function readTime(text: string): number {
  const match = TIME.exec(text)
  if (match) {
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map(part => Number(part ?? 0))
    const ms = Math.floor(Number(`0.${match[7] ?? 0}`) * 1000)
    const time = Date.UTC(year!, month! - 1, day, hour, minute, second, ms)
    const read = new Date(time)
    const isReal =
      read.getUTCMonth() === month! - 1 &&
      read.getUTCDate() === day &&
      hour! < 24 &&
      minute! < 60 &&
      second! < 60
    if (isReal) return time
  }
  throw new QinlingError(400, `Unknown string format: ${shown(text)}`)
}
