import { crc32 } from 'node:zlib'
import * as yauzl from 'yauzl'
import { AtelierError } from '../core/index.ts'
import type { PackageLimits } from './limits.ts'
import { showBytes } from './limits.ts'
import { decodeName, invalidEntry, invalidPackage } from './names.ts'
import type { FoundEntry, Spool } from './spool.ts'

const METHOD_STORED = 0
const METHOD_DEFLATED = 8
const MADE_BY_UNIX = [3, 19]
const LOCAL_HEADER_BYTES = 30

/** Reads a zip archive into the spool. What its directory claims is compared with what is there. */
export async function readZip(path: string, spool: Spool, limits: PackageLimits): Promise<void> {
  const zip = await opened(path)
  try {
    if (zip.entryCount > limits.entriesMax)
      throw invalidPackage(
        `has more than ${limits.entriesMax} entries (its directory says ${zip.entryCount})`,
      )
    const entries: yauzl.Entry[] = []
    await understood('has a zip directory that cannot be read: it is damaged', async () => {
      for await (const entry of zip.eachEntry()) entries.push(entry)
    })
    checkClaims(entries, limits)
    for (const entry of entries) {
      const found = describe(entry)
      await spool.add(found, () => contents(zip, entry, found.name))
    }
  } finally {
    zip.close()
  }
}

function opened(path: string): Promise<yauzl.ZipFile> {
  return understood('is no zip archive, or its end is missing: upload it again', () =>
    yauzl.openPromise(path, {
      autoClose: false,
      lazyEntries: true,
      // Names are decoded and judged here: the library would replace what it finds odd.
      decodeStrings: false,
      validateEntrySizes: true,
    }),
  )
}

/** The directory's own claims, before a byte is unpacked: sizes, and entries that share the same packed bytes. */
function checkClaims(entries: readonly yauzl.Entry[], limits: PackageLimits): void {
  let claimed = 0
  for (const entry of entries) claimed += entry.uncompressedSize
  if (claimed > limits.contentBytesMax)
    throw invalidPackage(`is larger than ${showBytes(limits.contentBytesMax)} when unpacked`)
  const ordered = [...entries].sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader)
  let end = 0
  for (const entry of ordered) {
    if (entry.relativeOffsetOfLocalHeader < end)
      throw invalidEntry(nameOf(entry), 'overlaps another one in the archive: that is a bomb or damage')
    end = entry.relativeOffsetOfLocalHeader + LOCAL_HEADER_BYTES + entry.fileNameLength + entry.compressedSize
  }
}

function describe(entry: yauzl.Entry): FoundEntry {
  const name = nameOf(entry)
  if (entry.isEncrypted()) throw invalidEntry(name, 'is encrypted; packages are not')
  if (entry.compressionMethod !== METHOD_STORED && entry.compressionMethod !== METHOD_DEFLATED)
    throw invalidEntry(name, `is packed with method ${entry.compressionMethod}; use "deflate" or "store"`)
  const mode = MADE_BY_UNIX.includes(entry.versionMadeBy >>> 8) ? entry.externalFileAttributes >>> 16 : 0
  const type = mode & 0o170000
  if (name.endsWith('/') || type === 0o040000) return { name, kind: 'folder', executable: false }
  if (type === 0o120000) return { name, kind: 'link', executable: false }
  if (type !== 0 && type !== 0o100000)
    throw invalidEntry(name, 'is a device, pipe or socket; packages hold files, folders and links')
  return { name, kind: 'file', executable: (mode & 0o111) !== 0 }
}

async function* contents(zip: yauzl.ZipFile, entry: yauzl.Entry, name: string): AsyncGenerator<Uint8Array> {
  let sum = 0
  try {
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      const bytes = chunk as Uint8Array
      sum = crc32(bytes, sum)
      yield bytes
    }
  } catch (thrown) {
    if (thrown instanceof AtelierError) throw thrown
    throw damaged(name, thrown)
  }
  if (sum !== entry.crc32) throw damaged(name)
}

function damaged(name: string, cause?: unknown): AtelierError {
  const error = invalidEntry(name, 'is damaged: its contents are not what the archive says; upload it again')
  return cause === undefined ? error : new AtelierError('PACKAGE_INVALID', error.message, { cause })
}

function nameOf(entry: yauzl.Entry): string {
  return decodeName(entry.fileNameRaw)
}

/** The library's errors speak of zip's insides; people get `problem`. */
async function understood<T>(problem: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw thrown instanceof AtelierError ? thrown : invalidPackage(problem, thrown)
  }
}
