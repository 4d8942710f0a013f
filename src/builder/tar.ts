import { decodeName, invalidEntry, invalidPackage } from './names.ts'
import type { Spool } from './spool.ts'

/*
 * Tar, both ways. Written here because packages come from strangers: a library that guesses at odd headers, skips checks
 * or buffers extended headers without a limit is a way in, and the format's safe part is small (POSIX pax interchange).
 */

const BLOCK_BYTES = 512
const EXTENDED_BYTES_MAX = 64 * 1024

/** Reads a tar archive into the spool: ustar, pax and GNU long names; nothing but files, folders and links. */
export async function readTar(source: AsyncIterable<Uint8Array>, spool: Spool): Promise<void> {
  const bytes = new Bytes(source)
  let extended: Record<string, string> = {}
  for (;;) {
    const block = await bytes.take(BLOCK_BYTES)
    if (block === undefined)
      throw invalidPackage('is a tar archive that was cut off: its end mark is missing; upload it again')
    if (block.every(byte => byte === 0)) break
    const header = readHeader(block, extended)
    const padding = (BLOCK_BYTES - (header.size % BLOCK_BYTES)) % BLOCK_BYTES
    const extension = EXTENSIONS[header.type]
    if (extension) {
      if (header.size > EXTENDED_BYTES_MAX)
        throw invalidEntry(header.name, `has an extended header of more than ${EXTENDED_BYTES_MAX} bytes`)
      const text = await bytes.take(header.size)
      if (text === undefined || (await bytes.take(padding)) === undefined) throw cutOff(header.name)
      extended = { ...extended, ...extension(text, header.name) }
      continue
    }
    extended = {}
    const kind = kindOf(header)
    let left = header.size
    const contents = async function* () {
      while (left > 0) {
        const piece = await bytes.some(left)
        if (piece === undefined) throw cutOff(header.name)
        left -= piece.length
        yield piece
      }
    }
    const target = kind === 'link' ? { target: header.target } : {}
    await spool.add({ name: header.name, kind, executable: (header.mode & 0o111) !== 0, ...target }, contents)
    for await (const _ of contents()) continue // what the spool did not want
    if ((await bytes.take(padding)) === undefined) throw cutOff(header.name)
  }
  // To the end, so that a damaged gzip trailer is noticed.
  while ((await bytes.some(BLOCK_BYTES * 128)) !== undefined) continue
}

/** Whether these first bytes are a tar header: its checksum is right. */
export function isTarHeader(block: Uint8Array): boolean {
  return block.length >= BLOCK_BYTES && block[0] !== 0 && checksum(block) === octal(block, 148, 8)
}

interface Header {
  readonly name: string
  readonly mode: number
  readonly size: number
  readonly type: string
  readonly target: string
}

function readHeader(block: Uint8Array, extended: Readonly<Record<string, string>>): Header {
  if (checksum(block) !== octal(block, 148, 8))
    throw invalidPackage('is a damaged tar archive: the checksum of a header is wrong; upload it again')
  const posix = text(block, 257, 6) === 'ustar'
  const prefix = posix ? text(block, 345, 155) : ''
  // Where an extended header names it, the short name is cut, perhaps within a character: it is not read at all.
  const name = extended['path'] ?? (prefix === '' ? '' : `${prefix}/`) + text(block, 0, 100)
  const type = block[156] === 0 ? '0' : String.fromCharCode(block[156]!)
  const size = extended['size'] === undefined ? numeric(block, 124, 12) : Number(extended['size'])
  if (!Number.isSafeInteger(size) || size < 0) throw invalidEntry(name, 'has a size that is no number')
  if (Object.keys(extended).some(key => key.startsWith('GNU.sparse')))
    throw invalidEntry(name, 'is a sparse file; make the archive without --sparse')
  const bodyless = '12345'.includes(type)
  return {
    name,
    mode: octal(block, 100, 8),
    size: bodyless && type !== '1' ? 0 : size,
    type,
    target: extended['linkpath'] ?? text(block, 157, 100),
  }
}

function kindOf(header: Header): 'file' | 'link' | 'folder' {
  switch (header.type) {
    case '0':
    case '7':
      return header.name.endsWith('/') ? 'folder' : 'file'
    case '5':
      return 'folder'
    case '2':
      return 'link'
    case '1':
      throw invalidEntry(header.name, 'is a hard link; make the archive with --hard-dereference')
    case '3':
    case '4':
    case '6':
      throw invalidEntry(header.name, 'is a device or a pipe; packages hold files, folders and links')
    default:
      throw invalidEntry(
        header.name,
        `is of the kind ${JSON.stringify(header.type)}, which packages do not hold`,
      )
  }
}

/** Headers about the next header: what they say, by pax key. */
const EXTENSIONS: Readonly<Record<string, (bytes: Uint8Array, name: string) => Record<string, string>>> = {
  x: readPax,
  g: () => ({}), // of the whole archive: comments of git and the like
  L: bytes => ({ path: decodeName(withoutNul(bytes)) }),
  K: bytes => ({ linkpath: decodeName(withoutNul(bytes)) }),
}

function readPax(bytes: Uint8Array, name: string): Record<string, string> {
  const records: Record<string, string> = {}
  for (let at = 0; at < bytes.length && bytes[at] !== 0; ) {
    const space = bytes.indexOf(32, at)
    const length =
      space === -1 ? Number.NaN : Number(Buffer.from(bytes.subarray(at, space)).toString('latin1'))
    const end = at + length
    if (!Number.isSafeInteger(length) || end <= space + 1 || end > bytes.length || bytes[end - 1] !== 10)
      throw invalidEntry(name, 'has an extended header that cannot be read')
    const equals = bytes.indexOf(61, space)
    if (equals === -1 || equals >= end) throw invalidEntry(name, 'has an extended header that cannot be read')
    const key = Buffer.from(bytes.subarray(space + 1, equals)).toString('latin1')
    // Attributes may hold any bytes; only these decide what is read.
    if (['path', 'linkpath', 'size'].includes(key))
      records[key] = decodeName(bytes.subarray(equals + 1, end - 1))
    else if (key.startsWith('GNU.sparse')) records[key] = ''
    at = end
  }
  return records
}

function withoutNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

function text(block: Uint8Array, at: number, length: number): string {
  return decodeName(withoutNul(block.subarray(at, at + length)))
}

function octal(block: Uint8Array, at: number, length: number): number {
  const digits = Buffer.from(withoutNul(block.subarray(at, at + length)))
    .toString('latin1')
    .trim()
  if (digits === '') return 0
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN
}

/** Octal, or base 256 when the first bit is set (GNU, for large files). */
function numeric(block: Uint8Array, at: number, length: number): number {
  if ((block[at]! & 0x80) === 0) return octal(block, at, length)
  let value = block[at]! & 0x7f
  for (let i = 1; i < length; i++) value = value * 256 + block[at + i]!
  return value
}

function checksum(block: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < BLOCK_BYTES; i++) sum += i >= 148 && i < 156 ? 32 : block[i]!
  return sum
}

function cutOff(name: string): Error {
  return invalidEntry(name, 'is cut off: the archive ends before it; upload it again')
}

/** Takes exact counts of bytes from a stream of chunks. */
class Bytes {
  readonly #source: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array(0)

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Exactly `count` bytes; `undefined` when the stream ends before. */
  async take(count: number): Promise<Uint8Array | undefined> {
    const pieces: Uint8Array[] = []
    for (let left = count; left > 0; ) {
      const piece = await this.some(left)
      if (piece === undefined) return undefined
      pieces.push(piece)
      left -= piece.length
    }
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /** Between one byte and `most`; `undefined` at the end. */
  async some(most: number): Promise<Uint8Array | undefined> {
    while (this.#chunk.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return undefined
      this.#chunk = next.value
    }
    const piece = this.#chunk.subarray(0, most)
    this.#chunk = this.#chunk.subarray(piece.length)
    return piece
  }
}
