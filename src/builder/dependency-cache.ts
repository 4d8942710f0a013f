import { mkdir, readdir, readFile, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/index.ts'
import { isMissing } from './files.ts'
import { removeTree, type Sealed, syncTree } from './tree.ts'

/** A set of installed dependencies: a sealed folder and its digest. */
export interface CachedDependencies {
  readonly folder: string
  readonly digest: string
  readonly bytes: number
}

/**
 * Installed dependencies by the key of what decided them. An entry is made by one build in its own sandbox and sealed before it
 * gets its name; afterwards nothing writes to it, and no sandbox ever sees the cache itself.
 */
export class DependencyCache {
  readonly #folder: string

  readonly #clock: Clock

  private constructor(folder: string, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
  }

  static async open(folder: string, clock: Clock): Promise<DependencyCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return new DependencyCache(folder, clock)
  }

  async find(key: string): Promise<CachedDependencies | undefined> {
    const entry = join(this.#folder, key)
    try {
      const { digest, bytes } = JSON.parse(await readFile(join(entry, 'sealed.json'), 'utf8')) as Sealed
      const now = new Date(this.#clock.now())
      await utimes(entry, now, now)
      return { folder: join(entry, 'tree'), digest, bytes }
    } catch (thrown) {
      if (isMissing(thrown)) return undefined
      throw thrown
    }
  }

  /** Takes a sealed folder. Two builds that fill the same key: the first stays. `scratch` is on the same disk. */
  async put(key: string, tree: string, sealed: Sealed, scratch: string): Promise<CachedDependencies> {
    const fresh = join(scratch, 'dependencies')
    await mkdir(fresh, { mode: 0o700 })
    await rename(tree, join(fresh, 'tree'))
    await writeFile(join(fresh, 'sealed.json'), JSON.stringify(sealed), { mode: 0o600 })
    await syncTree(fresh)
    const entry = join(this.#folder, key)
    const failed = await rename(fresh, entry).catch((thrown: unknown) => thrown)
    const kept = await this.find(key)
    if (!kept) throw failed
    return kept
  }

  /** Drops what was not used since `idleSince` (epoch ms), and the longest unused beyond `entriesMax`; resolves with how many. */
  async trim(entriesMax: number, idleSince: number, trash: string): Promise<number> {
    const entries = []
    for (const name of await readdir(this.#folder)) {
      const found = await stat(join(this.#folder, name)).catch(() => undefined)
      if (found) entries.push({ name, usedAt: found.mtimeMs })
    }
    entries.sort((a, b) => b.usedAt - a.usedAt)
    const doomed = entries.filter((entry, index) => index >= entriesMax || entry.usedAt < idleSince)
    for (const { name } of doomed) {
      const away = join(trash, `cache-${name}`)
      await rename(join(this.#folder, name), away)
      await removeTree(away)
    }
    return doomed.length
  }
}
