import { AtelierError } from '../../../core/index.ts'

/** An object as a listing has it. */
export interface Listed {
  readonly name: string
  /** Changes with the content. */
  readonly etag: string
  readonly sizeBytes: number
  /** Epoch ms. */
  readonly modifiedMs: number
  readonly contentType?: string
}

export interface Page {
  readonly objects: readonly Listed[]
  /** Where the next page begins; absent on the last one. */
  readonly next?: string
}

/** A container or bucket that can be listed in the order of names. */
export interface Listing {
  /** CloudEvents source of its events. */
  readonly source: string
  /**
   * One page. Rejects with NOT_FOUND for an unknown container, UNAUTHENTICATED and FORBIDDEN for credentials that are
   * refused, UNAVAILABLE for the rest; messages say which server said so.
   */
  page(prefix: string, after: string | undefined, signal: AbortSignal): Promise<Page>
}

/** A refusal of a listing in our words; `code` is the server's own word for it. */
export function listingError(status: number, what: string, where: string, code?: string): AtelierError {
  const said = code === undefined ? `${status}` : `${status} ${code}`
  if (status === 404) return new AtelierError('NOT_FOUND', `There is no ${what} at ${where} (${said}).`)
  if (status === 401)
    return new AtelierError('UNAUTHENTICATED', `${where} refuses the credentials for ${what} (${said}).`)
  if (status === 403)
    return new AtelierError('FORBIDDEN', `${where} does not let these credentials list ${what} (${said}).`)
  return new AtelierError('UNAVAILABLE', `${where} answered ${said} to the listing of ${what}.`)
}

export function unreadable(what: string, where: string, cause?: unknown): AtelierError {
  return new AtelierError('UNAVAILABLE', `${where} answered something that is no ${what}.`, { cause })
}
