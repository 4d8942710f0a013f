import { AtelierError } from '../core/index.ts'

/** Where the next page of records goes on: below this id. */
export function writeCursor(id: string): string {
  return Buffer.from(id).toString('base64url')
}

/** INVALID_INPUT for what is no cursor. */
export function readCursor(cursor: string): string {
  const id = Buffer.from(cursor, 'base64url').toString()
  if (/^[\w-]{1,64}~?$/.test(id)) return id
  throw new AtelierError(
    'INVALID_INPUT',
    'The cursor is not one that this list gave out; start again without it.',
    {
      errors: [{ pointer: 'cursor', detail: 'is not a cursor of this list' }],
    },
  )
}
