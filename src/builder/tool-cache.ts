import { constants } from 'node:fs'
import { cp, lstat, mkdir, readdir, rename, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../core/index.ts'
import { isMissing } from './files.ts'
import { removeTree } from './tree.ts'

/** Where a build's steps see what their tools remember. */
export const TOOL_CACHE_TARGET = '/cache'

/**
 * What compilers and package managers remember between builds, a folder for each key (project, environment, revision).
 * A build takes the folder away for itself and gives it back; who comes meanwhile begins with a new one. So nothing is
 * ever shared between tenants, and no two builds write to one folder.
 */
export class ToolCache {
  readonly #folder: string
  readonly #clock: Clock

  private constructor(folder: string, clock: Clock) {
    this.#folder = folder
    this.#clock = clock
  }

  static async open(folder: string, clock: Clock): Promise<ToolCache> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    return new ToolCache(folder, clock)
  }

  /** Makes `to`, on the same disk: with what was kept, or with a copy of what is in the folder that `seed` names, or empty. */
  async take(key: string, to: string, seed?: () => Promise<string | undefined>): Promise<void> {
    try {
      await rename(join(this.#folder, key), to)
    } catch (thrown) {
      if (!isMissing(thrown)) throw thrown
      const from = await seed?.()
      if (from === undefined) await mkdir(to)
      // Never by links: a tenant's process may change what it finds here.
      else await cp(from, to, { recursive: true, mode: constants.COPYFILE_FICLONE })
    }
  }

  /** Keeps `from` for the next build, unless it holds more than `bytesMax` or another build was quicker. */
  async giveBack(key: string, from: string, bytesMax: number): Promise<void> {
    if ((await bytesBelow(from, bytesMax)) > bytesMax) return
    const now = new Date(this.#clock.now())
    await utimes(from, now, now)
    await rename(from, join(this.#folder, key)).catch(() => {}) // what stays behind goes with the build's folder
  }

  /** Drops what was not used since `idleSince` (epoch ms), and the longest unused beyond `entriesMax`. */
  async trim(entriesMax: number, idleSince: number, trash: string): Promise<void> {
    const entries = []
    for (const name of await readdir(this.#folder)) {
      const found = await stat(join(this.#folder, name)).catch(() => undefined)
      if (found) entries.push({ name, usedAt: found.mtimeMs })
    }
    entries.sort((a, b) => b.usedAt - a.usedAt)
    for (const { name } of entries.filter((each, i) => i >= entriesMax || each.usedAt < idleSince)) {
      const away = join(trash, `tools-${name}`)
      // A build may have taken it just now.
      const moved = await rename(join(this.#folder, name), away).then(
        () => true,
        () => false,
      )
      if (moved) await removeTree(away)
    }
  }
}

/** Bytes of all files below, counted no further than just past `enough`. Links are not followed. */
async function bytesBelow(folder: string, enough: number): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    bytes += entry.isDirectory() ? await bytesBelow(path, enough - bytes) : (await lstat(path)).size
    if (bytes > enough) break
  }
  return bytes
}
