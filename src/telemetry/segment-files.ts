import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { BLOCK_HEAD_BYTES, readBlockHead } from './block.ts'
import type { Mark } from './lane.ts'
import { type Kind, projectFolder, type Segment, segmentsAmong } from './segment.ts'

const WINDOW_BYTES = 64 * 1024
const CACHED_BYTES_MAX = 16 * 1024 ** 2 // of what blocks tell about themselves

/** A block in a segment, not yet read. */
export interface Block<M> {
  readonly at: number
  readonly meta: M
  readonly metaBytes: number
  readonly bodyBytes: number
  readonly checksum: number
}

interface Known {
  /** What stands before this is known. */
  scanned: number
  metaBytes: number
  readonly blocks: Block<unknown>[]
}

/** Reads segments. What blocks tell about themselves is remembered for a while. Synchronous: it lives in a thread. */
export class SegmentFiles {
  readonly #root: string
  readonly #known = new Map<string, Known>()
  #knownBytes = 0

  constructor(root: string) {
    this.#root = root
  }

  folderOf(projectId: string): string {
    return join(this.#root, projectFolder(projectId))
  }

  /** The names in a project's folder; none when it has none. */
  namesOf(folder: string): string[] {
    try {
      return readdirSync(folder)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      throw error
    }
  }

  /** Oldest first. */
  segments(projectId: string, kind: Kind, mark: Mark): Segment[] {
    return segmentsAmong(this.namesOf(this.folderOf(projectId)), kind).filter(
      ({ number }) => number <= mark.number,
    )
  }

  /** The blocks of a segment up to the mark, in the order of writing; up to the first that is damaged or not whole. */
  blocks<M>(projectId: string, segment: Segment, mark: Mark): readonly Block<M>[] {
    const bytes = segment.number === mark.number ? mark.bytes : Number.MAX_SAFE_INTEGER
    const path = join(this.folderOf(projectId), segment.name)
    const known = this.#known.get(path) ?? { scanned: 0, metaBytes: 0, blocks: [] }
    if (known.scanned < bytes) this.#scan(path, known, bytes)
    const blocks = known.blocks as Block<M>[]
    return known.scanned <= bytes ? blocks : blocks.filter(({ at }) => at < bytes)
  }

  /** `undefined` when the block is damaged, or its segment has been removed meanwhile. */
  body<M>(projectId: string, segment: Segment, block: Block<M>): Buffer | undefined {
    const bytes = Buffer.allocUnsafeSlow(block.bodyBytes)
    const meta = Buffer.allocUnsafe(block.metaBytes)
    const read = withFile(join(this.folderOf(projectId), segment.name), file => {
      const start = block.at + BLOCK_HEAD_BYTES
      return fill(file, meta, start) + fill(file, bytes, start + block.metaBytes)
    })
    if (read !== bytes.length + meta.length) return undefined
    return crc32(bytes, crc32(meta)) === block.checksum ? bytes : undefined
  }

  #scan(path: string, known: Known, bytes: number): void {
    this.#knownBytes -= this.#known.get(path)?.metaBytes ?? 0
    this.#known.delete(path)
    withFile(path, file => {
      let window = Buffer.alloc(0)
      let windowAt = 0
      /** At least `length` bytes at `at`, or what there is. */
      const look = (at: number, length: number): Buffer => {
        if (at < windowAt || at + length > windowAt + window.length) {
          window = Buffer.allocUnsafe(Math.max(length, WINDOW_BYTES))
          window = window.subarray(0, fill(file, window, at))
          windowAt = at
        }
        return window.subarray(at - windowAt)
      }
      for (;;) {
        const at = known.scanned
        const head = readBlockHead(look(at, BLOCK_HEAD_BYTES), 0)
        if (!head) return
        const { metaBytes, bodyBytes, checksum } = head
        const end = at + BLOCK_HEAD_BYTES + metaBytes + bodyBytes
        if (end > bytes) return
        const text = look(at, BLOCK_HEAD_BYTES + metaBytes).subarray(
          BLOCK_HEAD_BYTES,
          BLOCK_HEAD_BYTES + metaBytes,
        )
        const meta = parsed(text, metaBytes)
        if (meta === undefined || look(end - 1, 1).length === 0) return
        known.blocks.push({ at, meta, metaBytes, bodyBytes, checksum })
        known.metaBytes += metaBytes
        known.scanned = end
      }
    })
    this.#known.set(path, known)
    this.#knownBytes += known.metaBytes
    for (const [oldest, { metaBytes }] of this.#known) {
      if (this.#knownBytes <= CACHED_BYTES_MAX) break
      this.#known.delete(oldest)
      this.#knownBytes -= metaBytes
    }
  }
}

function parsed(text: Buffer, length: number): unknown {
  if (text.length < length) return undefined
  try {
    return JSON.parse(text.toString())
  } catch {
    return undefined
  }
}

/** As many bytes as there are, and how many. */
function fill(file: number, into: Buffer, at: number): number {
  let done = 0
  while (done < into.length) {
    const read = readSync(file, into, done, into.length - done, at + done)
    if (read === 0) break
    done += read
  }
  return done
}

function withFile<R>(path: string, work: (file: number) => R): R | undefined {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return work(file)
  } finally {
    closeSync(file)
  }
}
