import { createHash } from 'node:crypto'
import { AtelierError, type Clock, leastId, newId } from '../core/index.ts'
import type { Store } from '../store/index.ts'

const PART_BYTES = 1024 * 1024 // a statement of this size is within every database's limit
const ABANDONED_MS = 24 * 3_600_000 // an upload that has not ended by then never will

/** Bytes by name in the database, for all nodes: what one of them has made, the others can have. */
export class Shelf {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Whether it is there; marks it as used now. */
  async touch(name: string): Promise<boolean> {
    const { numUpdatedRows } = await this.#store.db
      .updateTable('blobs')
      .set({ used_at: this.#clock.now() })
      .where('name', '=', name)
      .executeTakeFirstOrThrow()
    return numUpdatedRows > 0n
  }

  /** Puts it there; nobody sees a part of it. What is there already stays, since a name stands for its contents. */
  async put(name: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    const { db } = this.#store
    const upload = newId(this.#clock.now())
    const hash = createHash('sha256')
    let parts = 0
    let bytes = 0
    try {
      for await (const part of inParts(content)) {
        hash.update(part)
        bytes += part.length
        await db.insertInto('blob_parts').values({ upload, number: parts++, content: part }).execute()
      }
      await db
        .insertInto('blobs')
        .values({
          name,
          upload,
          parts,
          size_bytes: bytes,
          sha256: hash.digest('hex'),
          used_at: this.#clock.now(),
        })
        .execute()
    } catch (error) {
      await db
        .deleteFrom('blob_parts')
        .where('upload', '=', upload)
        .execute()
        .catch(() => {}) // `collect` does, when it can
      if (!(error instanceof AtelierError && error.code === 'CONFLICT')) throw error
    }
  }

  /** `undefined` when it is not there. What is read is checked at its end: a damaged one fails. */
  async get(name: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const blob = await this.#store.db
      .selectFrom('blobs')
      .selectAll()
      .where('name', '=', name)
      .executeTakeFirst()
    return blob && this.#read(name, blob)
  }

  async names(): Promise<ReadonlySet<string>> {
    const rows = await this.#store.db.selectFrom('blobs').select('name').execute()
    return new Set(rows.map(row => row.name))
  }

  /** Removes what nobody names and nobody has used since (epoch ms), and what was left of uploads. */
  async collect(isNeeded: (name: string) => boolean, usedSince: number): Promise<void> {
    const old = await this.#store.db
      .selectFrom('blobs')
      .select(['name', 'upload'])
      .where('used_at', '<', usedSince)
      .execute()
    for (const { name, upload } of old) {
      if (isNeeded(name)) continue
      const { numDeletedRows } = await this.#store.db
        .deleteFrom('blobs')
        .where('name', '=', name)
        .where('used_at', '<', usedSince)
        .executeTakeFirstOrThrow()
      if (numDeletedRows > 0n) await this.#forget(upload)
    }
    const kept = new Set(
      (await this.#store.db.selectFrom('blobs').select('upload').execute()).map(row => row.upload),
    )
    const uploads = await this.#store.db
      .selectFrom('blob_parts')
      .select('upload')
      .distinct()
      .where('upload', '<', leastId(this.#clock.now() - ABANDONED_MS))
      .execute()
    for (const { upload } of uploads) if (!kept.has(upload)) await this.#forget(upload)
  }

  async #forget(upload: string): Promise<void> {
    await this.#store.db.deleteFrom('blob_parts').where('upload', '=', upload).execute()
  }

  async *#read(
    name: string,
    { upload, parts, sha256 }: { upload: string; parts: number; sha256: string },
  ): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256')
    for (let number = 0; number < parts; number++) {
      const part = await this.#store.db
        .selectFrom('blob_parts')
        .select('content')
        .where('upload', '=', upload)
        .where('number', '=', number)
        .executeTakeFirst()
      if (!part) break
      hash.update(part.content)
      yield part.content
    }
    if (hash.digest('hex') !== sha256)
      throw new AtelierError('INTERNAL', `What the database keeps as ${name} is damaged: deploy it again.`)
  }
}

/** Pieces of any size as parts of one size, the last one smaller. */
async function* inParts(content: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of content)
    for (let at = 0; at < piece.length; ) {
      const taken = piece.subarray(at, at + PART_BYTES - bytes)
      pieces.push(taken)
      bytes += taken.length
      at += taken.length
      if (bytes < PART_BYTES) continue
      yield Buffer.concat(pieces)
      pieces = []
      bytes = 0
    }
  if (bytes > 0) yield Buffer.concat(pieces)
}
