import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import type { PackageLimits } from './limits.ts'
import { showBytes } from './limits.ts'
import type { PackageEntry } from './manifest.ts'
import { cleanPath, invalidEntry, invalidPackage, isJunk } from './names.ts'

const BUFFER_BYTES = 256 * 1024
const LINK_TARGET_BYTES_MAX = 1024

/** What an archive reader found: its name as written, and what it is. */
export interface FoundEntry {
  readonly name: string
  readonly kind: 'file' | 'link' | 'folder'
  readonly executable: boolean
  /** For a link that says where it points beside its contents (tar). */
  readonly target?: string
}

/**
 * Takes an archive's contents one after the other into a single file, by offset: no name out of an archive ever becomes a
 * path on this machine before it has been checked. Counts against the limits as the bytes come.
 */
export class Spool {
  readonly entries: PackageEntry[] = []
  readonly #file: FileHandle
  readonly #limits: PackageLimits
  readonly #archiveBytes: number
  readonly #signal: AbortSignal
  #seen = 0
  #written = 0
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  #buffered = 0

  private constructor(file: FileHandle, archiveBytes: number, limits: PackageLimits, signal: AbortSignal) {
    this.#file = file
    this.#archiveBytes = archiveBytes
    this.#limits = limits
    this.#signal = signal
  }

  /** `archiveBytes` is what the archive weighed as it came, for the ratio. */
  static async create(
    path: string,
    archiveBytes: number,
    limits: PackageLimits,
    signal: AbortSignal,
  ): Promise<Spool> {
    return new Spool(await open(path, 'wx+', 0o600), archiveBytes, limits, signal)
  }

  /** Takes one entry. Rejects with PACKAGE_INVALID that names it and the limit. Contents that are not wanted are not read. */
  async add(found: FoundEntry, contents: () => AsyncIterable<Uint8Array>): Promise<void> {
    this.#signal.throwIfAborted()
    if (++this.#seen > this.#limits.entriesMax)
      throw invalidPackage(`has more than ${this.#limits.entriesMax} entries`)
    const path = cleanPath(found.name, this.#limits)
    if (found.kind === 'folder' || isJunk(path)) return
    if (path === '') throw invalidEntry(found.name, 'has no name')
    if (this.entries.length >= this.#limits.filesMax)
      throw invalidPackage(`has more than ${this.#limits.filesMax} files`)
    if (found.kind === 'link') await this.#addLink(path, found, contents)
    else await this.#addFile(path, found, contents())
  }

  /** Everything that was added, as a file to read from; the owner closes. */
  async finish(): Promise<FileHandle> {
    await this.#flush()
    return this.#file
  }

  close(): Promise<void> {
    return this.#file.close()
  }

  async #addFile(path: string, found: FoundEntry, contents: AsyncIterable<Uint8Array>): Promise<void> {
    const hash = createHash('sha256')
    const offset = this.#written
    for await (const chunk of contents) {
      this.#signal.throwIfAborted()
      hash.update(chunk)
      await this.#append(path, chunk)
    }
    this.entries.push({
      path,
      kind: 'file',
      executable: found.executable,
      size: this.#written - offset,
      sha256: hash.digest('hex'),
      offset,
    })
  }

  async #addLink(path: string, found: FoundEntry, contents: () => AsyncIterable<Uint8Array>): Promise<void> {
    let target = found.target
    if (target === undefined) {
      const pieces: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of contents()) {
        bytes += chunk.length
        if (bytes > LINK_TARGET_BYTES_MAX) break
        pieces.push(chunk)
      }
      target = bytes > LINK_TARGET_BYTES_MAX ? '' : Buffer.concat(pieces).toString('utf8')
    }
    if (target === '' || Buffer.byteLength(target) > LINK_TARGET_BYTES_MAX)
      throw invalidEntry(
        path,
        `is a link whose target is empty or longer than ${LINK_TARGET_BYTES_MAX} bytes`,
      )
    const sha256 = createHash('sha256').update(target).digest('hex')
    this.entries.push({ path, kind: 'link', executable: false, size: 0, sha256, offset: 0, target })
  }

  async #append(path: string, chunk: Uint8Array): Promise<void> {
    this.#written += chunk.length
    const limits = this.#limits
    if (this.#written > limits.contentBytesMax)
      throw invalidEntry(
        path,
        `makes the package larger than ${showBytes(limits.contentBytesMax)} when unpacked`,
      )
    if (this.#written > limits.ratioFreeBytes && this.#written > this.#archiveBytes * limits.ratioMax)
      throw invalidEntry(
        path,
        `unpacks to more than ${limits.ratioMax} times the size of the archive: that is a bomb`,
      )
    if (chunk.length + this.#buffered > BUFFER_BYTES) await this.#flush()
    if (chunk.length > BUFFER_BYTES) await writeAll(this.#file, chunk)
    else {
      this.#buffer.set(chunk, this.#buffered)
      this.#buffered += chunk.length
    }
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#buffered)
    this.#buffered = 0
    await writeAll(this.#file, bytes)
  }
}

/** Writes everything at the file's position: one write may take only a part. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done)
    done += bytesWritten
  }
}
