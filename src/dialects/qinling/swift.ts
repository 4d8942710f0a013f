import type { DialectParts } from '../dialect.ts'
import { QinlingError } from './answers.ts'
import type { Caller } from './callers.ts'
import { type Archive, archiveOf, PACKAGE_BYTES_MAX } from './forms.ts'

const TIMEOUT_MS = 60_000

export interface SwiftObject {
  readonly container: string
  readonly object: string
}

/** Reads functions' code from the object store, with the caller's own token: what it may not read, it cannot deploy. */
export class ObjectStore {
  readonly #url: string

  constructor({ settings }: Pick<DialectParts, 'settings'>) {
    this.#url = settings.qinling.swiftUrl
  }

  /** 400 when it is not there for this caller, too large, or no archive. */
  async archive(caller: Caller, { container, object }: SwiftObject): Promise<Archive> {
    if (this.#url === '' || caller.token === undefined)
      throw new QinlingError(400, 'Swift object not supported.')
    const place = this.#url.replaceAll('%(project_id)s', encodeURIComponent(caller.projectId))
    const path = [container, ...object.split('/')].map(encodeURIComponent)
    if (path.some(part => part === '.' || part === '..')) throw notThere()
    try {
      const response = await fetch(`${place.replace(/\/$/, '')}/${path.join('/')}`, {
        headers: { 'x-auth-token': caller.token },
        redirect: 'error',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      if (!response.ok || Number(response.headers.get('content-length') ?? 0) > PACKAGE_BYTES_MAX) {
        await response.body?.cancel()
        throw notThere()
      }
      return archiveOf(await bounded(response))
    } catch (error) {
      if (error instanceof QinlingError) throw error
      throw notThere(error)
    }
  }
}

/** The body, as long as it is no longer than a package may be. */
async function bounded(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length
    if (bytes > PACKAGE_BYTES_MAX) throw notThere()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function notThere(cause?: unknown): QinlingError {
  return new QinlingError(400, 'Failed to validate object in Swift.', { cause })
}
