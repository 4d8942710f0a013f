import { AtelierError } from '../../core/index.ts'

// sqlite.org/rescode.html
const BUSY = 5
const FULL = 13
const CORRUPT = 11
const NOT_A_DATABASE = 26
const IOERR_SHMSIZE = 4874 // the index of the log could not grow: no space either
const UNIQUE = [1555, 2067]

/** What SQLite threw, in the catalogue's words; anything else unchanged. */
export function asStoreError(thrown: unknown): unknown {
  const code = sqliteCode(thrown)
  if (code === undefined) return thrown
  const options = { cause: thrown }
  if (UNIQUE.includes(code)) return new AtelierError('CONFLICT', 'This exists already.', options)
  const primary = code & 0xff
  if (primary === FULL || code === IOERR_SHMSIZE)
    return new AtelierError(
      'STORAGE_FULL',
      'The store has no space left: nothing was changed. Free some space in the data directory and try again.',
      options,
    )
  if (primary === BUSY)
    return new AtelierError('UNAVAILABLE', 'The store is in use by another program; try again.', {
      ...options,
      retryAfterS: 1,
    })
  if (primary === CORRUPT || primary === NOT_A_DATABASE)
    return new AtelierError('INTERNAL', 'The store is damaged: restore it from a backup.', options)
  return thrown
}

/** The extended result code of an error from SQLite. */
export function sqliteCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error) || !('errcode' in thrown)) return undefined
  return typeof thrown.errcode === 'number' ? thrown.errcode : undefined
}
