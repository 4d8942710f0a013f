import { invalidField } from '../core/index.ts'

const LIMIT_DEFAULT = 100

/**
 * A page of a list in the order of `keyOf`, which is unique. `read` gives at most `count` items whose key comes after
 * `after`. The cursor is the key of the last item shown, so what comes and goes meanwhile shifts nothing. Rejects with
 * INVALID_INPUT for a cursor that is none.
 */
export async function pageByKey<T>(
  { limit = LIMIT_DEFAULT, cursor }: { readonly limit?: number; readonly cursor?: string },
  read: (count: number, after: string | undefined) => Promise<readonly T[]> | readonly T[],
  keyOf: (item: T) => string,
): Promise<{ readonly items: readonly T[]; readonly next?: string }> {
  // One more than is shown tells that there are more.
  const found = await read(limit + 1, cursor === undefined ? undefined : readCursor(cursor))
  const items = found.slice(0, limit)
  const last = items.at(-1)
  return found.length > limit && last !== undefined
    ? { items, next: Buffer.from(keyOf(last)).toString('base64url') }
    : { items }
}

function readCursor(cursor: string): string {
  const bytes = Buffer.from(cursor, 'base64url')
  if (bytes.length > 0 && bytes.toString('base64url') === cursor) return bytes.toString('utf8')
  throw invalidField('cursor', 'is not one that this list gave')
}
