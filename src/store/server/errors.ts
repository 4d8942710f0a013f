import { AtelierError } from '../../core/index.ts'
import type { Engine } from './wire.ts'

/** What a database threw, in the catalogue's words. */
export function asServerError(engine: Engine, thrown: unknown): unknown {
  if (thrown instanceof AtelierError) return thrown
  const cause = withoutStatement(thrown)
  const { place } = engine
  switch (engine.trouble(thrown)) {
    case 'duplicate':
      return new AtelierError('CONFLICT', 'This exists already.', { cause })
    case 'full':
      return new AtelierError(
        'STORAGE_FULL',
        `The database ${place} has no space left: nothing was changed. Free some space there and try again.`,
        { cause },
      )
    case 'retry':
      return new AtelierError('UNAVAILABLE', `The database ${place} is busy with other changes; try again.`, {
        cause,
        retryAfterS: 1,
      })
    case 'lost':
      return new AtelierError('UNAVAILABLE', `The database ${place} does not answer; try again.`, {
        cause,
        retryAfterS: 1,
      })
    case 'unavailable':
      return new AtelierError(
        'UNAVAILABLE',
        `The database ${place} takes no connections or changes now (${messageOf(cause)}); try again.`,
        { cause, retryAfterS: 1 },
      )
    case 'refused':
      return new AtelierError(
        'UNAVAILABLE',
        `The database ${place} lets nobody in with this address, user and password: check --db-uri.`,
        { cause },
      )
    case 'untrusted':
      return new AtelierError(
        'UNAVAILABLE',
        `The database ${place} is not trusted (${messageOf(cause)}): check its certificate, and the TLS parameters of --db-uri (docs/store.md).`,
        { cause },
      )
    case 'unfit':
      return new AtelierError(
        'INVALID_INPUT',
        'A text is too long for the database, or has NUL characters.',
        {
          cause,
        },
      )
    case 'other':
      return cause
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : 'unknown'
}

// Drivers put the statement with its values on the error, and whatever logs the error would write down what is secret.
function withoutStatement(thrown: unknown): unknown {
  if (!(thrown instanceof Error)) return thrown
  const { code, errno } = thrown as { code?: unknown; errno?: unknown }
  const clean = Object.assign(new Error(thrown.message), {
    ...(code !== undefined && { code }),
    ...(errno !== undefined && { errno }),
  })
  if (thrown.stack !== undefined) clean.stack = thrown.stack
  return clean
}
