import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  chmod,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { AtelierError, type Clock } from '../core/index.ts'
import { hexOf } from './digests.ts'
import { isMissing, syncFolder } from './files.ts'
import type { Manifest, PackageEntry } from './manifest.ts'
import { writeAll } from './spool.ts'
import { TAR_END, tarHeader, tarPadding } from './tar-writer.ts'

const COPY_BYTES = 256 * 1024

/** Received packages by digest: `<hex>/content.tar` in canonical form, and `<hex>/manifest.json` with offsets into it. */
export class PackageStore {
  readonly #folder: string
  readonly #clock: Clock

  private constructor(folder: string, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
  }

  static async open(folder: string, clock: Clock): Promise<PackageStore> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return new PackageStore(folder, clock)
  }

  /**
   * Stores a package whose contents lie in `spool` at its manifest's offsets. Durable when this resolves; one that is
   * here already is only marked as used. `scratch` is an existing private folder on the same disk.
   */
  async put(manifest: Manifest, spool: FileHandle, scratch: string): Promise<void> {
    if (await this.touch(manifest.digest)) return
    const fresh = join(scratch, 'package')
    await mkdir(fresh, { mode: 0o700 })
    const entries = await writeTar(join(fresh, 'content.tar'), manifest.entries, spool)
    const file = await open(join(fresh, 'manifest.json'), 'wx', 0o600)
    try {
      await file.writeFile(JSON.stringify({ ...manifest, entries }))
      await file.sync()
    } finally {
      await file.close()
    }
    await syncFolder(fresh)
    await this.take(fresh, manifest.digest)
  }

  /** Takes a folder that holds a package as it is kept here. */
  async take(folder: string, digest: string): Promise<void> {
    // Another upload of the same contents may have been faster: then what is there is the same.
    const failed = await rename(folder, this.at(digest)).catch((thrown: unknown) => thrown)
    if (!(await this.touch(digest))) throw failed
    await syncFolder(this.#folder)
  }

  /** Marks the package as used now; false when it is not here. */
  async touch(digest: string): Promise<boolean> {
    const now = new Date(this.#clock.now())
    return utimes(this.at(digest), now, now).then(
      () => true,
      () => false,
    )
  }

  /** What is in the package. GONE when it is not here. */
  async manifest(digest: string): Promise<Manifest> {
    try {
      return JSON.parse(await readFile(join(this.at(digest), 'manifest.json'), 'utf8')) as Manifest
    } catch (thrown) {
      throw isMissing(thrown) ? gone(digest, thrown) : thrown
    }
  }

  /** The package as a tar archive. GONE when it is not here. */
  async read(digest: string): Promise<Readable> {
    const path = join(this.at(digest), 'content.tar')
    try {
      const handle = await open(path, 'r')
      return createReadStream(path, { fd: handle, autoClose: true })
    } catch (thrown) {
      throw isMissing(thrown) ? gone(digest, thrown) : thrown
    }
  }

  /**
   * Writes the package's files (or `only` some) below the empty folder `target`. Links come last, so that nothing is written through one;
   * each file is compared with its digest as it is copied.
   */
  async unpack(
    manifest: Manifest,
    target: string,
    signal: AbortSignal,
    only?: readonly string[],
  ): Promise<void> {
    const entries = only ? manifest.entries.filter(entry => only.includes(entry.path)) : manifest.entries
    const tar = await open(join(this.at(manifest.digest), 'content.tar'), 'r')
    const folders = new Set<string>()
    try {
      for (const entry of entries) {
        signal.throwIfAborted()
        const folder = dirname(entry.path)
        if (folder !== '.' && !folders.has(folder)) {
          await mkdir(join(target, folder), { recursive: true })
          folders.add(folder)
        }
        if (entry.kind === 'file') await extract(tar, entry, join(target, entry.path))
      }
      for (const entry of entries)
        if (entry.kind === 'link') await symlink(entry.target!, join(target, entry.path))
    } finally {
      await tar.close()
    }
  }

  /** Every stored package with the time of its last use and its bytes on disk. */
  async list(): Promise<{ digest: string; usedAt: number; bytes: number }[]> {
    const found = []
    for (const name of await readdir(this.#folder)) {
      const folder = await stat(join(this.#folder, name)).catch(() => undefined)
      const tar = await stat(join(this.#folder, name, 'content.tar')).catch(() => undefined)
      if (folder) found.push({ digest: `sha256:${name}`, usedAt: folder.mtimeMs, bytes: tar?.size ?? 0 })
    }
    return found
  }

  async remove(digest: string): Promise<void> {
    await rm(this.at(digest), { recursive: true, force: true })
  }

  /** As `remove`, unless it was used after `since` (epoch ms). */
  async removeUnused(digest: string, since: number): Promise<void> {
    const found = await stat(this.at(digest)).catch(() => undefined)
    if (found && Math.floor(found.mtimeMs) <= since) await this.remove(digest)
  }

  /** The folder of a package. INVALID_INPUT for what is no digest. */
  at(digest: string): string {
    return join(this.#folder, hexOf(digest))
  }
}

function gone(digest: string, cause: unknown): AtelierError {
  return new AtelierError(
    'GONE',
    `The package ${digest} is no longer kept; deploy it again from its source.`,
    { cause },
  )
}

/** Writes the canonical archive; resolves, durable, with the entries at their offsets in it. */
async function writeTar(
  path: string,
  entries: readonly PackageEntry[],
  spool: FileHandle,
): Promise<PackageEntry[]> {
  const tar = await open(path, 'wx', 0o600)
  try {
    const placed: PackageEntry[] = []
    let at = 0
    for (const entry of entries) {
      const header = tarHeader(entry)
      await writeAll(tar, header)
      placed.push({ ...entry, offset: at + header.length })
      for await (const chunk of range(spool, entry)) await writeAll(tar, chunk)
      const padding = tarPadding(entry.size)
      await writeAll(tar, padding)
      at += header.length + entry.size + padding.length
    }
    await writeAll(tar, TAR_END)
    await tar.sync()
    return placed
  } finally {
    await tar.close()
  }
}

async function extract(tar: FileHandle, entry: PackageEntry, path: string): Promise<void> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx')
  try {
    for await (const chunk of range(tar, entry)) {
      hash.update(chunk)
      await writeAll(file, chunk)
    }
  } finally {
    await file.close()
  }
  if (hash.digest('hex') !== entry.sha256)
    throw new Error(`stored package is damaged on disk: ${entry.path} does not have its digest`)
  // Not by `open`: there the process's umask would take bits away.
  await chmod(path, entry.executable ? 0o755 : 0o644)
}

async function* range(file: FileHandle, entry: PackageEntry): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, entry.size))
  for (let done = 0; done < entry.size; ) {
    const length = Math.min(buffer.length, entry.size - done)
    const { bytesRead } = await file.read(buffer, 0, length, entry.offset + done)
    if (bytesRead === 0) throw new Error(`stored package is damaged on disk: ${entry.path} is cut off`)
    done += bytesRead
    yield buffer.subarray(0, bytesRead)
  }
}
