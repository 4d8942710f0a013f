import { appendFile, mkdir, readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/index.ts'
import { FIRST_NUMBER, foldedThrough, type Kind, segmentName, segmentsAmong } from './segment.ts'

const AHEAD_MS_MAX = 86_400_000 // a clock that was wrong for a moment must not spoil the order for good

export interface LaneLimits {
  /** A segment that has reached this size is closed. */
  readonly segmentBytes: number
  /** … and one that was begun so long ago. */
  readonly segmentAgeMs: number
}

/** How far a reader may read, so that an answer holds what was written before the question and nothing that came later. */
export interface Mark {
  readonly number: number
  readonly bytes: number
}

/**
 * Appends one project's records, or logs, to segments. Each process begins a segment of its own: whether the last write of
 * the one before it arrived whole is then only the reader's concern. Works are done one after the other.
 */
export class Lane {
  readonly #folder: string
  readonly #kind: Kind
  readonly #clock: Clock
  readonly #limits: LaneLimits
  #last: Promise<unknown> = Promise.resolve()
  #working = 0
  #number = 0
  #path: string | undefined
  #written = 0
  #begunMs = 0
  #ceilingMs = 0

  constructor(folder: string, kind: Kind, clock: Clock, limits: LaneLimits) {
    this.#folder = folder
    this.#kind = kind
    this.#clock = clock
    this.#limits = limits
  }

  get isIdle(): boolean {
    return this.#working === 0
  }

  /** Resolves when the system has the bytes; rejects when they are lost, and then nothing of them stays. */
  append(block: Buffer, newestMs: number): Promise<void> {
    return this.#then(async () => {
      await this.#find()
      const path = await this.#room(block.length)
      try {
        await appendFile(path, block, { mode: 0o600 })
      } catch (error) {
        // Half a block would hide what follows it.
        await truncate(path, this.#written).catch(() => {
          this.#path = undefined
        })
        throw error
      }
      this.#written += block.length
      this.#ceilingMs = Math.max(
        this.#ceilingMs,
        Math.min(Math.floor(newestMs) + 1, this.#clock.now() + AHEAD_MS_MAX),
      )
    })
  }

  /** Where the lane stands when all that was appended until now is written. */
  mark(): Promise<Mark> {
    return this.#then(async () => {
      await this.#find()
      const bytes = this.#path === undefined ? Number.MAX_SAFE_INTEGER : this.#written
      return { number: this.#number, bytes }
    })
  }

  async #room(bytes: number): Promise<string> {
    const { segmentBytes, segmentAgeMs } = this.#limits
    const nowMs = this.#clock.now()
    const isFull = this.#written > 0 && this.#written + bytes > segmentBytes
    if (this.#path !== undefined && !isFull && nowMs - this.#begunMs < segmentAgeMs) return this.#path
    await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    this.#ceilingMs = Math.max(this.#ceilingMs, Math.floor(nowMs))
    this.#begunMs = nowMs
    this.#written = 0
    this.#number++
    this.#path = join(this.#folder, segmentName(this.#kind, this.#number, this.#ceilingMs))
    return this.#path
  }

  /** Learns once which segments earlier processes left. */
  async #find(): Promise<void> {
    if (this.#number > 0) return
    const names = await readdir(this.#folder).catch((error: NodeJS.ErrnoException): string[] => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const newest = segmentsAmong(names, this.#kind).at(-1)
    this.#ceilingMs = newest?.ceilingMs ?? 0
    this.#number = Math.max(FIRST_NUMBER - 1, newest?.number ?? 0, foldedThrough(names))
  }

  async #then<R>(work: () => Promise<R>): Promise<R> {
    this.#working++
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    try {
      return await done
    } finally {
      this.#working--
    }
  }
}
