import { type Clock, withoutTail } from '../../../core/index.ts'
import { sourceOf } from '../event.ts'
import type { S3Place } from './config.ts'
import type { HttpClient } from './http.ts'
import { type Listed, type Listing, listingError, type Page, unreadable } from './listing.ts'
import { canonicalQuery, encodeStrictly, signGet } from './sigv4.ts'

const REGION_DEFAULT = 'us-east-1'
const PAGE_OBJECTS = 1_000 // the protocol's bound

/** A bucket, listed by ListObjectsV2 with requests signed by Signature Version 4. */
export class S3Listing implements Listing {
  readonly source: string
  readonly #place: S3Place
  readonly #bucket: string
  readonly #http: HttpClient
  readonly #clock: Clock

  constructor(place: S3Place, bucket: string, http: HttpClient, clock: Clock) {
    this.#place = place
    this.#bucket = bucket
    this.#http = http
    this.#clock = clock
    this.source = sourceOf('s3', bucket)
  }

  async page(prefix: string, after: string | undefined, signal: AbortSignal): Promise<Page> {
    const url = this.#url()
    const query = {
      'list-type': '2',
      'encoding-type': 'url', // any name is then safe in XML
      'max-keys': String(PAGE_OBJECTS),
      ...(prefix !== '' && { prefix }),
      ...(after !== undefined && { 'continuation-token': after }),
    }
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    url.search = canonicalQuery(url)
    const { accessKey, secretKey, region = REGION_DEFAULT } = this.#place
    const headers = signGet(url, { accessKey, secretKey, region }, this.#clock.now())
    const answer = await this.#http({ method: 'GET', url, headers }, signal)
    const where = `The S3 server at ${url.origin}`
    const what = `bucket "${this.#bucket}"`
    const xml = answer.body.toString()
    // 403 is said of unknown keys and wrong signatures too; the code of the error tells which.
    const code = /<Code>(\w{1,50})<\/Code>/.exec(xml)?.[1]
    if (answer.status !== 200) throw listingError(answer.status, what, where, code)
    const page = readListing(xml)
    if (page === undefined) throw unreadable('listing', where)
    return page
  }

  #url(): URL {
    const url = new URL(this.#place.endpoint)
    const base = withoutTail(url.pathname, '/')
    if (this.#place.virtualHost === true) {
      url.hostname = `${this.#bucket}.${url.hostname}`
      url.pathname = `${base}/`
    } else url.pathname = `${base}/${encodeStrictly(this.#bucket)}`
    return url
  }
}

/**
 * Reads a ListBucketResult. Names are URL-encoded in it, so no text of it holds a tag; a parser of all of XML is not
 * needed. `undefined` when it is none. Pure.
 */
export function readListing(xml: string): Page | undefined {
  if (!/<ListBucketResult[\s>]/.test(xml)) return undefined
  const { entries, rest } = partsOf(xml)
  const next = textOf(rest, 'NextContinuationToken')
  return { objects: entries.flatMap(toListed), ...(next !== undefined && { next }) }
}

/** What is said of each object, and all else. Step by step: a hostile server may begin a million and end none. */
function partsOf(xml: string): { readonly entries: readonly string[]; readonly rest: string } {
  const entries: string[] = []
  const first = xml.indexOf(ENTRY)
  let last = first
  for (let start = first; start >= 0; start = xml.indexOf(ENTRY, last)) {
    const end = xml.indexOf(ENTRY_END, start)
    if (end < 0) break
    entries.push(xml.slice(start + ENTRY.length, end))
    last = end + ENTRY_END.length
  }
  return { entries, rest: first < 0 ? xml : xml.slice(0, first) + xml.slice(last) }
}

const ENTRY = '<Contents>'
const ENTRY_END = '</Contents>'

function toListed(entry: string): Listed[] {
  const key = textOf(entry, 'Key')
  const modifiedMs = Date.parse(textOf(entry, 'LastModified') ?? '')
  const name = key === undefined ? undefined : decoded(key)
  if (name === undefined || Number.isNaN(modifiedMs)) return []
  return [
    {
      name,
      etag: (textOf(entry, 'ETag') ?? '').replaceAll('"', ''),
      sizeBytes: Number(textOf(entry, 'Size') ?? 0),
      modifiedMs,
    },
  ]
}

function decoded(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

function textOf(xml: string, tag: string): string | undefined {
  const found = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1]
  return found?.replace(/&(quot|amp|lt|gt|apos|#34|#39);/g, (whole, name: string) => ENTITIES[name] ?? whole)
}

const ENTITIES: Readonly<Record<string, string>> = {
  quot: '"',
  '#34': '"',
  apos: "'",
  '#39': "'",
  amp: '&',
  lt: '<',
  gt: '>',
}
