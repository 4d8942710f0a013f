import { join } from 'node:path'
import { type Clock, type Invocation, type LogLine, timeOfId } from '../core/index.ts'
import { RecordPacker } from './batch.ts'
import { Lane, type LaneLimits, type Mark } from './lane.ts'
import { encodeLines } from './log-block.ts'
import { encodeRecords } from './record-block.ts'
import { type Kind, projectFolder } from './segment.ts'

const LANES_IDLE_MAX = 4_096 // a forgotten one begins a new segment when it is needed again
const BLOCK_TEXT_MAX = 1024 ** 2

/** How a write ended: what of it is lost when there is an error. */
export interface Written {
  readonly records: number
  readonly lines: number
  readonly lineBytes: number
  readonly bytes: number
  readonly error?: unknown
}

interface Pending {
  readonly packer: RecordPacker
  lines: LogLine[]
}

/** Gathers what is observed by project, and appends it to the segments of each. */
export class Journal {
  readonly #root: string
  readonly #clock: Clock
  readonly #limits: LaneLimits
  readonly #onWritten: (written: Written) => void
  readonly #pending = new Map<string, Pending>()
  #lastProject = ''
  #last: Pending | undefined
  readonly #lanes: { readonly [K in Kind]: Map<string, Lane> } = { records: new Map(), logs: new Map() }

  constructor(root: string, clock: Clock, limits: LaneLimits, onWritten: (written: Written) => void) {
    this.#root = root
    this.#clock = clock
    this.#limits = limits
    this.#onWritten = onWritten
  }

  addRecord(record: Invocation): void {
    this.#pendingOf(record.projectId).packer.add(record)
  }

  addLine(line: LogLine): void {
    this.#pendingOf(line.projectId).lines.push(line)
  }

  /** Begins to write all that was added. What ends well or badly is told one by one, never within this call. */
  flush(): void {
    for (const [projectId, pending] of this.#pending) {
      const { packer, lines } = pending
      if (packer.count === 0 && lines.length === 0) {
        this.#pending.delete(projectId) // it has been quiet since the last time
        if (this.#last === pending) this.#last = undefined
        continue
      }
      if (packer.count > 0) this.#writeRecords(projectId, packer)
      if (lines.length === 0) continue
      pending.lines = []
      for (const group of inGroups(lines)) this.#writeLines(projectId, group)
    }
  }

  /** Where a project's records or logs stand when all that was flushed is written. */
  mark(projectId: string, kind: Kind): Promise<Mark> {
    return this.#laneOf(projectId, kind).mark()
  }

  /** Resolves when all that was flushed is written, or lost. */
  async settled(): Promise<void> {
    const lanes = Object.values(this.#lanes).flatMap(each => [...each.values()])
    await Promise.allSettled(lanes.map(lane => lane.mark()))
  }

  #writeRecords(projectId: string, packer: RecordPacker): void {
    const records = packer.count
    const { block, newestMs } = packer.take(packed => ({
      block: encodeRecords(packed, { summed: true }),
      newestMs: timeOfId(packed.max) || 0,
    }))
    void this.#append(projectId, 'records', block, newestMs, { records, lines: 0, lineBytes: 0 })
  }

  #writeLines(projectId: string, lines: readonly LogLine[]): void {
    const { block, newestMs } = encodeLines(lines)
    let lineBytes = 0
    for (const line of lines) lineBytes += bytesOf(line)
    void this.#append(projectId, 'logs', block, newestMs, { records: 0, lines: lines.length, lineBytes })
  }

  async #append(
    projectId: string,
    kind: Kind,
    block: Buffer,
    newestMs: number,
    what: Pick<Written, 'records' | 'lines' | 'lineBytes'>,
  ): Promise<void> {
    const bytes = block.length
    try {
      await this.#laneOf(projectId, kind).append(block, newestMs)
      this.#onWritten({ ...what, bytes })
    } catch (error) {
      this.#onWritten({ ...what, bytes: 0, error })
    }
  }

  #pendingOf(projectId: string): Pending {
    if (this.#last && projectId === this.#lastProject) return this.#last
    let pending = this.#pending.get(projectId)
    if (!pending) this.#pending.set(projectId, (pending = { packer: new RecordPacker(), lines: [] }))
    this.#lastProject = projectId
    return (this.#last = pending)
  }

  #laneOf(projectId: string, kind: Kind): Lane {
    const lanes = this.#lanes[kind]
    let lane = lanes.get(projectId)
    if (lane) return lane
    if (lanes.size >= LANES_IDLE_MAX)
      for (const [oldest, each] of lanes) {
        if (!each.isIdle) continue
        lanes.delete(oldest)
        break
      }
    lane = new Lane(join(this.#root, projectFolder(projectId)), kind, this.#clock, this.#limits)
    lanes.set(projectId, lane)
    return lane
  }
}

/** What a line costs while it waits. */
export function bytesOf(line: LogLine): number {
  return line.text.length + LINE_BYTES
}

const LINE_BYTES = 64 // beside its text

/** So few lines together that a reader can hold their block. */
function* inGroups(lines: readonly LogLine[]): Generator<readonly LogLine[]> {
  let first = 0
  let bytes = 0
  for (const [i, line] of lines.entries()) {
    bytes += line.text.length
    if (bytes <= BLOCK_TEXT_MAX) continue
    yield lines.slice(first, i + 1)
    first = i + 1
    bytes = 0
  }
  if (first < lines.length) yield first === 0 ? lines : lines.slice(first)
}
