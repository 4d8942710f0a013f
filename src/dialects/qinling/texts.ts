import type { DialectRecords } from '../../control/index.ts'
import { QinlingError } from './answers.ts'

/** A text as it is kept: in its thing's own record, or in as many pieces beside it. */
export type KeptText = string | { readonly pieces: number }

const KIND = 'qinling.text'
const OWN_CHARACTERS_MAX = 12_000
const PIECE_BYTES = 36_000 // as base64, beside its names, within what a record may hold
const MIB = 1024 * 1024
/** What a project may keep in pieces; shorter texts are as many as their things. */
const OF_A_PROJECT_BYTES_MAX = 256 * MIB

/** Texts of any length, which records are not for. `field` tells several of one thing apart. */
export class Texts {
  readonly #records: DialectRecords

  constructor(records: DialectRecords) {
    this.#records = records
  }

  /** Rejects with 403 when the project keeps as much as it may. */
  async keep(projectId: string, ownerId: string, field: string, text: string): Promise<KeptText> {
    if (JSON.stringify(text).length <= OWN_CHARACTERS_MAX) return text
    const bytes = Buffer.from(text)
    const held = (await this.#records.count(KIND, { projectId })) * PIECE_BYTES
    if (held + bytes.length > OF_A_PROJECT_BYTES_MAX)
      throw new QinlingError(
        403,
        `A project keeps at most ${OF_A_PROJECT_BYTES_MAX / MIB} MiB of long inputs and results: delete executions first.`,
      )
    let pieces = 0
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      const body = bytes.toString('base64', at, Math.min(bytes.length, at + PIECE_BYTES))
      const key = keyOf(ownerId, field, pieces)
      // Again after an attempt that broke off: the same text has the same pieces.
      await this.#records.delete(KIND, key)
      await this.#records.insert({ id: key, kind: KIND, projectId, parent: ownerId, body })
      pieces++
    }
    return { pieces }
  }

  /** How long a text is, about. */
  static bytesOf(text: KeptText | null): number {
    if (text === null) return 0
    return typeof text === 'string' ? text.length : text.pieces * PIECE_BYTES
  }

  async read(ownerId: string, field: string, text: KeptText): Promise<string> {
    if (typeof text === 'string') return text
    const parts: Buffer[] = []
    for (let piece = 0; piece < text.pieces; piece++) {
      const found = await this.#records.get<string>(KIND, keyOf(ownerId, field, piece))
      parts.push(Buffer.from(found?.body ?? '', 'base64'))
    }
    return Buffer.concat(parts).toString()
  }

  async forget(ownerId: string, field: string, text: KeptText | null): Promise<void> {
    if (text === null || typeof text === 'string') return
    for (let piece = 0; piece < text.pieces; piece++)
      await this.#records.delete(KIND, keyOf(ownerId, field, piece))
  }

  /** Of one project, or of all. */
  deleteOlder(createdBefore: number, projectId?: string): Promise<number> {
    return this.#records.deleteOlder(KIND, createdBefore, projectId)
  }
}

function keyOf(ownerId: string, field: string, piece: number): string {
  return `${ownerId}.${field}.${piece}`
}
