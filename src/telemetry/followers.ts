import type { LogLine } from '../core/index.ts'
import type { LogFilter } from './telemetry.ts'

const LINES_WAITING_MAX = 1_000 // for one reader; more are lost, and it is told so

interface Follower {
  readonly projectId: string
  readonly filter: LogFilter
  readonly onLine: (line: LogLine) => void | Promise<void>
  readonly waiting: LogLine[]
  lost: number
  running: boolean
  stopped: boolean
}

/** Live readers of logs. Lines wait here, never in the way of the one who writes them. */
export class Followers {
  readonly #byFunction = new Map<string, Set<Follower>>()
  readonly #all = new Set<Follower>()

  follow(projectId: string, filter: LogFilter, onLine: Follower['onLine']): () => void {
    const follower: Follower = {
      projectId,
      filter,
      onLine,
      waiting: [],
      lost: 0,
      running: false,
      stopped: false,
    }
    const { functionId } = filter
    const group = functionId === undefined ? this.#all : (this.#byFunction.get(functionId) ?? new Set())
    if (functionId !== undefined) this.#byFunction.set(functionId, group)
    group.add(follower)
    return () => {
      follower.stopped = true
      follower.waiting.length = 0
      group.delete(follower)
      if (functionId !== undefined && group.size === 0 && this.#byFunction.get(functionId) === group)
        this.#byFunction.delete(functionId)
    }
  }

  /** On a call's way: looks whether somebody listens, and puts the line down for them. */
  tell(line: LogLine): void {
    if (this.#byFunction.size > 0) {
      const group = this.#byFunction.get(line.functionId)
      if (group) for (const each of group) offer(each, line)
    }
    if (this.#all.size > 0) for (const each of this.#all) offer(each, line)
  }
}

function offer(follower: Follower, line: LogLine): void {
  if (!isWanted(follower, line)) return
  if (follower.waiting.length >= LINES_WAITING_MAX) follower.lost++
  else follower.waiting.push(line)
  if (follower.running) return
  follower.running = true
  setImmediate(() => void deliver(follower))
}

function isWanted({ projectId, filter }: Follower, line: LogLine): boolean {
  return (
    line.projectId === projectId &&
    (filter.invocationId === undefined || filter.invocationId === line.invocationId) &&
    (filter.version === undefined || filter.version === line.version) &&
    (filter.sinceMs === undefined || line.at >= filter.sinceMs) &&
    (filter.untilMs === undefined || line.at < filter.untilMs) &&
    (filter.contains === undefined || line.text.includes(filter.contains))
  )
}

async function deliver(follower: Follower): Promise<void> {
  try {
    while (follower.waiting.length > 0 && !follower.stopped) {
      const lines = follower.waiting.splice(0)
      const { lost } = follower
      follower.lost = 0
      for (const line of lines) {
        if (follower.stopped) return
        const waited = follower.onLine(line)
        if (waited) await waited
      }
      if (lost > 0 && !follower.stopped) await follower.onLine(lossOf(lost, lines.at(-1)!))
    }
  } catch {
    follower.stopped = true // a reader that fails has left
  } finally {
    follower.running = false
    if (!follower.stopped && follower.waiting.length > 0) offerAgain(follower)
  }
}

function offerAgain(follower: Follower): void {
  follower.running = true
  setImmediate(() => void deliver(follower))
}

/** The line that stands where lines are missing. */
export function lossOf(count: number, near: LogLine): LogLine {
  const { at, projectId, functionId, version, instanceId } = near
  const text = `${count} ${count === 1 ? 'line is' : 'lines are'} missing here: they came faster than they could be taken.`
  return { at, projectId, functionId, version, instanceId, stream: 'platform', text }
}
