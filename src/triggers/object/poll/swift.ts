import { withoutTail } from '../../../core/index.ts'
import { isRecord, textAt } from '../json.ts'
import type { SwiftPlace } from './config.ts'
import type { HttpClient } from './http.ts'
import { type SwiftSession, signIn } from './keystone.ts'
import { type Listed, type Listing, listingError, type Page, unreadable } from './listing.ts'

const PAGE_OBJECTS = 5_000 // Swift's own bound is 10,000

/** A container of Swift. Its token is asked for when the first one is needed, and again when it is refused. */
export class SwiftListing implements Listing {
  readonly source: string
  readonly #place: SwiftPlace
  readonly #container: string
  readonly #http: HttpClient
  #session: SwiftSession | undefined

  constructor(place: SwiftPlace, container: string, http: HttpClient) {
    this.#place = place
    this.#container = container
    this.#http = http
    this.source = `swift://${new URL(place.storageUrl ?? place.authUrl).host}`
  }

  async page(prefix: string, after: string | undefined, signal: AbortSignal): Promise<Page> {
    const known = this.#session
    const session = known ?? (await this.#signIn(signal))
    const answer = await this.#list(session, prefix, after, signal)
    if (answer.status !== 401 || known === undefined) return this.#read(answer, session)
    // The token was of an earlier day: one more try with a new one.
    this.#session = undefined
    const renewed = await this.#signIn(signal)
    return this.#read(await this.#list(renewed, prefix, after, signal), renewed)
  }

  async #signIn(signal: AbortSignal): Promise<SwiftSession> {
    const session = await signIn(this.#place, this.#http, signal)
    this.#session = session
    return session
  }

  #list(session: SwiftSession, prefix: string, after: string | undefined, signal: AbortSignal) {
    const url = new URL(`${withoutTail(session.storageUrl, '/')}/${encodeURIComponent(this.#container)}`)
    url.searchParams.set('format', 'json')
    url.searchParams.set('limit', String(PAGE_OBJECTS))
    if (prefix !== '') url.searchParams.set('prefix', prefix)
    if (after !== undefined) url.searchParams.set('marker', after)
    return this.#http({ method: 'GET', url, headers: { 'x-auth-token': session.token } }, signal)
  }

  #read({ status, body }: { readonly status: number; readonly body: Buffer }, session: SwiftSession): Page {
    const where = `Swift at ${new URL(session.storageUrl).origin}`
    if (status === 401) this.#session = undefined
    if (status === 204) return { objects: [] }
    if (status !== 200) throw listingError(status, `container "${this.#container}"`, where)
    let entries: unknown
    try {
      entries = JSON.parse(body.toString())
    } catch (cause) {
      throw unreadable('listing', where, cause)
    }
    if (!Array.isArray(entries)) throw unreadable('listing', where)
    const objects = entries.flatMap(toListed)
    const last = objects.at(-1)
    return { objects, ...(entries.length >= PAGE_OBJECTS && last !== undefined && { next: last.name }) }
  }
}

function toListed(entry: unknown): Listed[] {
  if (!isRecord(entry)) return []
  const name = textAt(entry, 'name')
  const modifiedMs = Date.parse(`${textAt(entry, 'last_modified') ?? ''}Z`)
  if (name === undefined || Number.isNaN(modifiedMs)) return []
  const contentType = textAt(entry, 'content_type')
  return [
    {
      name,
      etag: (textAt(entry, 'slo_etag') ?? textAt(entry, 'hash') ?? '').replaceAll('"', ''),
      sizeBytes: Number(entry['bytes'] ?? 0),
      modifiedMs,
      ...(contentType !== undefined && { contentType }),
    },
  ]
}
