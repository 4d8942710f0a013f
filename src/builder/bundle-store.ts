import { chmod, mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { AtelierError, type Clock } from '../core/index.ts'
import type { BundleSize } from './build.ts'
import { hexOf } from './digests.ts'
import { isMissing, syncFolder, writeDurably } from './files.ts'
import { removeTree, syncTree } from './tree.ts'

/** What is remembered of a build that went well, by its key. */
export interface BuildRecord {
  readonly bundleDigest: string
  readonly entry: string
  readonly log: string
  /** Absent in what an earlier version remembers. */
  readonly size?: BundleSize
}

/** Built bundles as plain folders by digest, and which build gave which. */
export class BundleStore {
  readonly #bundles: string
  readonly #records: string

  readonly #clock: Clock

  private constructor(bundles: string, records: string, clock: Clock) {
    this.#bundles = bundles
    this.#records = records
    this.#clock = clock
  }

  static async open(bundles: string, records: string, clock: Clock): Promise<BundleStore> {
    await mkdir(bundles, { recursive: true })
    // Instances run as users of their own: they may enter the folder of a bundle they were shown, and list nothing.
    await chmod(bundles, 0o711)
    await mkdir(records, { recursive: true, mode: 0o700 })
    return new BundleStore(bundles, records, clock)
  }

  /** Takes a sealed folder as the bundle `digest` and remembers the build. Durable when this resolves. */
  async publish(folder: string, key: string, record: BuildRecord): Promise<void> {
    await this.take(folder, record.bundleDigest)
    await writeDurably(join(this.#records, `${key}.json`), JSON.stringify(record))
  }

  /** Takes a sealed folder as the bundle `digest`. Durable when this resolves. */
  async take(folder: string, digest: string): Promise<void> {
    await syncTree(folder)
    const target = this.at(digest)
    // The same contents may be here already, from another build.
    const failed = await rename(folder, target).catch((thrown: unknown) => thrown)
    if (!(await this.#touch(target))) throw failed
    await syncFolder(this.#bundles)
  }

  /** An earlier build with this key whose bundle is still here; it is marked as used. */
  async find(key: string): Promise<BuildRecord | undefined> {
    try {
      const record = JSON.parse(await readFile(join(this.#records, `${key}.json`), 'utf8')) as BuildRecord
      return (await this.#touch(this.at(record.bundleDigest))) ? record : undefined
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  }

  /** Host folder of a bundle. GONE when it is not here. */
  async locate(digest: string): Promise<string> {
    const path = this.at(digest)
    if (await stat(path).catch(() => undefined)) return path
    throw new AtelierError('GONE', `The bundle ${digest} is no longer kept; deploy its version again.`)
  }

  async list(): Promise<{ digest: string; usedAt: number }[]> {
    const found = []
    for (const name of await readdir(this.#bundles)) {
      const folder = await stat(join(this.#bundles, name)).catch(() => undefined)
      if (folder) found.push({ digest: `sha256:${name}`, usedAt: folder.mtimeMs })
    }
    return found
  }

  /** Removes a bundle; resolves with the bytes that nobody else holds any more. `trash` is a folder on the same disk. */
  async remove(digest: string, trash: string): Promise<number> {
    const doomed = join(trash, `bundle-${hexOf(digest)}`)
    // Away in one step: whoever looks sees all of a bundle or none of it.
    await rename(this.at(digest), doomed)
    const bytes = await soleBytes(doomed)
    await removeTree(doomed)
    return bytes
  }

  /** Forgets builds whose bundle is no longer here. */
  async forgetLost(): Promise<void> {
    for (const name of await readdir(this.#records)) {
      const key = /^([0-9a-f]{64})\.json$/.exec(name)?.[1]
      if (key === undefined || (await this.#lost(key))) await rm(join(this.#records, name), { force: true })
    }
  }

  async #lost(key: string): Promise<boolean> {
    const text = await readFile(join(this.#records, `${key}.json`), 'utf8').catch(() => undefined)
    if (text === undefined) return false
    const { bundleDigest } = JSON.parse(text) as BuildRecord
    return (await stat(this.at(bundleDigest)).catch(() => undefined)) === undefined
  }

  async #touch(path: string): Promise<boolean> {
    const now = new Date(this.#clock.now())
    return utimes(path, now, now).then(
      () => true,
      () => false,
    )
  }

  /** The folder of a bundle. INVALID_INPUT for what is no digest. */
  at(digest: string): string {
    return join(this.#bundles, hexOf(digest))
  }
}

/** Bytes of the files that have no other name: dependencies are shared with the cache. */
async function soleBytes(folder: string): Promise<number> {
  let bytes = 0
  for (const found of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!found.isFile()) continue
    const { nlink, size } = await stat(join(found.parentPath, found.name))
    if (nlink === 1) bytes += size
  }
  return bytes
}
