import { type FileHandle, lstat, mkdir, open, readdir, readlink, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createZstdCompress, createZstdDecompress } from 'node:zlib'
import { writeAll } from './spool.ts'

const COPY_BYTES = 256 * 1024
const HEAD_BYTES_MAX = 64 * 1024
const CONTENT_BYTES_MAX = 4 * 1024 ** 3 // far beyond what a package or a bundle may have

/** What comes before each file's contents: its length in four bytes, and this as JSON. */
interface Head {
  readonly path: string
  readonly kind: 'folder' | 'file' | 'link'
  readonly size: number
  readonly executable?: boolean
  readonly target?: string
}

/**
 * A folder as one compressed stream, with names of any length: between our own servers, which need no archive that others can read. Links
 * come last, so that nothing is written through one.
 */
export function packFolder(folder: string): AsyncIterable<Uint8Array> {
  const packed = createZstdCompress()
  pipeline(Readable.from(pieces(folder)), packed).catch(() => {}) // who reads it is told
  return packed
}

/** Fills the empty folder `target`. Rejects when the stream is damaged or names something outside. */
export async function unpackFolder(content: AsyncIterable<Uint8Array>, target: string): Promise<void> {
  await pipeline(Readable.from(content), createZstdDecompress(), async stream => {
    const reader = new Pieces(stream as AsyncIterable<Buffer>)
    for (let head = await headOf(reader); head; head = await headOf(reader)) await place(reader, head, target)
  })
}

async function* pieces(root: string): AsyncGenerator<Buffer> {
  const links: Head[] = []
  const folders = ['']
  for (let folder = folders.shift(); folder !== undefined; folder = folders.shift())
    for (const name of (await readdir(join(root, folder))).sort()) {
      const path = folder === '' ? name : `${folder}/${name}`
      const found = await lstat(join(root, path))
      if (found.isSymbolicLink())
        links.push({ path, kind: 'link', size: 0, target: await readlink(join(root, path)) })
      else if (found.isDirectory()) {
        folders.push(path)
        yield bytesOf({ path, kind: 'folder', size: 0 })
      } else if (found.isFile()) {
        const executable = (found.mode & 0o111) !== 0
        yield bytesOf({ path, kind: 'file', size: found.size, ...(executable && { executable }) })
        yield* contents(join(root, path), found.size)
      }
    }
  for (const link of links) yield bytesOf(link)
}

async function* contents(path: string, size: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r')
  try {
    for (let done = 0; done < size; ) {
      const piece = Buffer.allocUnsafe(Math.min(COPY_BYTES, size - done))
      const { bytesRead } = await file.read(piece, 0, piece.length, done)
      if (bytesRead === 0) throw new Error(`${path} became shorter while it was read`)
      done += bytesRead
      yield piece.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

function bytesOf(head: Head): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text])
}

async function headOf(reader: Pieces): Promise<Head | undefined> {
  const length = await reader.take(4)
  if (length === undefined) return undefined
  const bytes = length.readUInt32BE()
  if (bytes > HEAD_BYTES_MAX) throw new Error('a head is too long')
  const head = JSON.parse((await reader.need(bytes)).toString()) as Head
  const parts = head.path.split('/')
  if (parts.some(part => part === '' || part === '.' || part === '..' || part.includes('\0')))
    throw new Error('a path leads out of the folder')
  return head
}

async function place(reader: Pieces, head: Head, target: string): Promise<void> {
  const path = join(target, head.path)
  if (head.kind === 'folder') await mkdir(path)
  else if (head.kind === 'link') await symlink(head.target ?? '', path)
  else {
    const file: FileHandle = await open(path, 'wx', head.executable ? 0o755 : 0o644)
    try {
      for (let left = head.size; left > 0; ) {
        const piece = await reader.need(Math.min(left, COPY_BYTES))
        await writeAll(file, piece)
        left -= piece.length
      }
    } finally {
      await file.close()
    }
  }
}

/** Reads so many bytes at a time of a stream that comes in pieces of any size. */
class Pieces {
  readonly #source: AsyncIterator<Buffer>
  #held: Buffer = Buffer.alloc(0)
  #taken = 0

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  async need(bytes: number): Promise<Buffer> {
    const found = await this.take(bytes)
    if (found === undefined) throw new Error('it is cut off')
    return found
  }

  /** `undefined` at the end, if that is between two things. */
  async take(bytes: number): Promise<Buffer | undefined> {
    const found: Buffer[] = []
    let length = 0
    while (length < bytes) {
      if (this.#held.length === 0) {
        const next = await this.#source.next()
        if (next.done) {
          if (length === 0) return undefined
          throw new Error('it is cut off')
        }
        this.#held = next.value
      }
      const piece = this.#held.subarray(0, bytes - length)
      this.#held = this.#held.subarray(piece.length)
      found.push(piece)
      length += piece.length
    }
    this.#taken += bytes
    if (this.#taken > CONTENT_BYTES_MAX) throw new Error('it is too long')
    return found.length === 1 ? found[0]! : Buffer.concat(found)
  }
}
