import { AtelierError, withoutTail } from '../../../core/index.ts'
import { isRecord, type JsonRecord, recordAt, textAt } from '../json.ts'
import type { SwiftPlace } from './config.ts'
import type { Answer, HttpClient } from './http.ts'
import { unreadable } from './listing.ts'

const DOMAIN_DEFAULT = 'Default'

export interface SwiftSession {
  readonly token: string
  /** The account's URL. */
  readonly storageUrl: string
}

/**
 * Signs in at Keystone (v3) and finds the account. Rejects with UNAUTHENTICATED when the credentials are refused, NOT_FOUND
 * when the catalogue knows no object store, UNAVAILABLE otherwise.
 */
export async function signIn(
  place: SwiftPlace,
  http: HttpClient,
  signal: AbortSignal,
): Promise<SwiftSession> {
  const url = tokensUrl(place.authUrl)
  const answer = await http(
    {
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(identityOf(place)),
    },
    signal,
  )
  const where = `Keystone at ${url.origin}`
  if (answer.status === 401 || answer.status === 403)
    throw new AtelierError('UNAUTHENTICATED', `${where} refuses the credentials (${answer.status}).`)
  if (answer.status !== 201)
    throw new AtelierError('UNAVAILABLE', `${where} answered ${answer.status} to the request for a token.`)
  const token = answer.header('x-subject-token')
  if (token === undefined) throw unreadable('token', where)
  return { token, storageUrl: place.storageUrl ?? storageUrl(answer, place, where) }
}

function tokensUrl(authUrl: string): URL {
  const base = withoutTail(authUrl, '/')
  return new URL(`${base.endsWith('/v3') ? base : `${base}/v3`}/auth/tokens`)
}

function identityOf(place: SwiftPlace): object {
  if (place.applicationCredentialId !== undefined) {
    const credential = { id: place.applicationCredentialId, secret: place.applicationCredentialSecret }
    return { auth: { identity: { methods: ['application_credential'], application_credential: credential } } }
  }
  const domain = { name: place.userDomain ?? DOMAIN_DEFAULT }
  const user = { name: place.username, domain, password: place.password }
  const projectDomain = place.projectDomain === undefined ? domain : { name: place.projectDomain }
  return {
    auth: {
      identity: { methods: ['password'], password: { user } },
      scope: { project: { name: place.project, domain: projectDomain } },
    },
  }
}

function storageUrl(answer: Answer, place: SwiftPlace, where: string): string {
  let body: unknown
  try {
    body = JSON.parse(answer.body.toString())
  } catch (cause) {
    throw unreadable('token', where, cause)
  }
  const token = isRecord(body) ? recordAt(body, 'token') : {}
  const side = place.interface ?? 'public'
  const found = recordsIn(token, 'catalog')
    .filter(service => service['type'] === 'object-store')
    .flatMap(service => recordsIn(service, 'endpoints'))
    .find(
      endpoint =>
        endpoint['interface'] === side &&
        (place.region === undefined || [endpoint['region_id'], endpoint['region']].includes(place.region)),
    )
  const url = found && textAt(found, 'url')
  if (url === undefined || !/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new AtelierError(
      'NOT_FOUND',
      `The catalogue of ${where} has no ${side} endpoint of an object store${place.region === undefined ? '' : ` in ${place.region}`}.`,
    )
  return url
}

function recordsIn(value: JsonRecord, name: string): JsonRecord[] {
  const list = value[name]
  return Array.isArray(list) ? list.filter(isRecord) : []
}
