import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { packFolder, unpackFolder } from './parcel.ts'
import { removeTree } from './tree.ts'

/** Where servers that work together keep what all of them must have; names stand for their contents. */
export interface SharedShelf {
  /** Whether it is there; marks it as used now. */
  touch(name: string): Promise<boolean>
  put(name: string, content: AsyncIterable<Uint8Array>): Promise<void>
  get(name: string): Promise<AsyncIterable<Uint8Array> | undefined>
  /** All that is there. */
  names(): Promise<ReadonlySet<string>>
  /** Removes what is not needed and was not used since (epoch ms). */
  collect(isNeeded: (name: string) => boolean, usedSince: number): Promise<void>
}

/** Packages and bundles of this server for others, and of others for this one. */
export class SharedFolders {
  readonly #shelf: SharedShelf
  readonly #temporary: string
  readonly #fetching = new Map<string, Promise<boolean>>()

  constructor(shelf: SharedShelf, temporary: string) {
    this.#shelf = shelf
    this.#temporary = temporary
  }

  /** Others can have it when this resolves. */
  async keep(kind: Kind, digest: string, folder: string): Promise<void> {
    const name = nameOf(kind, digest)
    if (!(await this.#shelf.touch(name))) await this.#shelf.put(name, packFolder(folder))
  }

  /** Hands what others have to `take`, as a folder on the disk of this server; false when nobody has it. Once for all who ask together. */
  fetch(kind: Kind, digest: string, take: (folder: string) => Promise<void>): Promise<boolean> {
    const name = nameOf(kind, digest)
    let fetching = this.#fetching.get(name)
    if (!fetching) {
      fetching = this.#fetch(name, take).finally(() => this.#fetching.delete(name))
      this.#fetching.set(name, fetching)
    }
    return fetching
  }

  /** Gives the others what this server alone has of what is needed: it may have worked without them before. */
  async keepMissing(
    kind: Kind,
    own: readonly string[],
    needed: ReadonlySet<string>,
    store: { at(digest: string): string },
  ): Promise<void> {
    const known = await this.#shelf.names()
    for (const digest of own)
      if (needed.has(digest) && !known.has(nameOf(kind, digest)))
        await this.#shelf.put(nameOf(kind, digest), packFolder(store.at(digest)))
  }

  collect(
    keep: { readonly packages: ReadonlySet<string>; readonly bundles: ReadonlySet<string> },
    usedSince: number,
  ): Promise<void> {
    const names = new Set([
      ...[...keep.packages].map(digest => nameOf('package', digest)),
      ...[...keep.bundles].map(digest => nameOf('bundle', digest)),
    ])
    return this.#shelf.collect(name => names.has(name), usedSince)
  }

  async #fetch(name: string, take: (folder: string) => Promise<void>): Promise<boolean> {
    const content = await this.#shelf.get(name)
    if (!content) return false
    const scratch = await mkdtemp(join(this.#temporary, 'fetched-'))
    try {
      const folder = join(scratch, 'content')
      await mkdir(folder, { mode: 0o700 })
      await unpackFolder(content, folder)
      await take(folder)
      return true
    } finally {
      await removeTree(scratch)
    }
  }
}

type Kind = 'package' | 'bundle'

function nameOf(kind: Kind, digest: string): string {
  return `${kind} ${digest}`
}
