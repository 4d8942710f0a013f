import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { invalidField } from '../core/index.ts'
import type { Page, PageRequest } from './control.ts'

const LIMIT_DEFAULT = 100
const LIMIT_MAX = 1000
const TAG_BYTES = 16

/** The sort key of the last row of a page: what the next one comes after. */
export type Position = readonly (string | number)[]

/**
 * Marks in lists. A cursor is the position where a page ended, signed for its list: nobody can make one up, or use one in
 * another project's list.
 */
export class Cursors {
  readonly #key: Uint8Array

  constructor(secret: Uint8Array) {
    this.#key = new Uint8Array(hkdfSync('sha256', secret, '', 'list cursors', 32))
  }

  /** The page of `list` (a name and what it is limited to) that `request` asks for. Throws INVALID_INPUT. */
  open(list: string, request: PageRequest): { readonly limit: number; readonly after: Position | undefined } {
    const limit = request.limit ?? LIMIT_DEFAULT
    if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX)
      throw invalidField('limit', `must be a whole number from 1 to ${LIMIT_MAX}`)
    return { limit, after: request.cursor === undefined ? undefined : this.#read(list, request.cursor) }
  }

  /** A page from `limit + 1` rows: the last one only tells that there are more. */
  page<R, T>(
    list: string,
    rows: readonly R[],
    limit: number,
    position: (row: R) => Position,
    item: (row: R) => T,
  ): Page<T> {
    const shown = rows.slice(0, limit)
    const last = shown.at(-1)
    const items = shown.map(item)
    return rows.length > limit && last !== undefined
      ? { items, next: this.#write(list, position(last)) }
      : { items }
  }

  #write(list: string, position: Position): string {
    const payload = Buffer.from(JSON.stringify(position))
    return `${payload.toString('base64url')}.${this.#tag(list, payload).toString('base64url')}`
  }

  #read(list: string, cursor: string): Position {
    const [payload, tag] = cursor.split('.').map(part => Buffer.from(part, 'base64url'))
    const expected = payload && this.#tag(list, payload)
    if (!payload || !expected || tag?.length !== expected.length || !timingSafeEqual(tag, expected))
      throw invalidField('cursor', 'is not one that this list gave')
    return JSON.parse(payload.toString()) as Position
  }

  #tag(list: string, payload: Buffer): Buffer {
    const hmac = createHmac('sha256', this.#key).update(list).update('\0').update(payload)
    return hmac.digest().subarray(0, TAG_BYTES)
  }
}
