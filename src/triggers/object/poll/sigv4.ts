import { createHash, createHmac } from 'node:crypto'

export interface S3Key {
  readonly accessKey: string
  readonly secretKey: string
  readonly region: string
}

const ALGORITHM = 'AWS4-HMAC-SHA256'
const EMPTY_SHA256 = createHash('sha256').update('').digest('hex')

/** The headers that sign a GET without a body by AWS Signature Version 4 for the service s3. Pure; `now` in epoch ms. */
export function signGet(url: URL, key: S3Key, now: number): Record<string, string> {
  const time = new Date(now).toISOString().replace(/[-:]|\.\d+/g, '') // 20130524T000000Z
  const headers = { host: url.host, 'x-amz-content-sha256': EMPTY_SHA256, 'x-amz-date': time }
  const names = Object.keys(headers).toSorted()
  const canonical = [
    'GET',
    url.pathname,
    canonicalQuery(url),
    ...names.map(name => `${name}:${headers[name as keyof typeof headers]}`),
    '',
    names.join(';'),
    EMPTY_SHA256,
  ].join('\n')
  const day = time.slice(0, 8)
  const scope = `${day}/${key.region}/s3/aws4_request`
  const toSign = [ALGORITHM, time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const signingKey = [day, key.region, 's3', 'aws4_request'].reduce<Buffer>(
    (secret, part) => hmac(secret, part),
    Buffer.from(`AWS4${key.secretKey}`),
  )
  const signature = hmac(signingKey, toSign).toString('hex')
  return {
    ...headers,
    authorization: `${ALGORITHM} Credential=${key.accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}

/** As RFC 3986 says, unreserved characters bare: stricter than `encodeURIComponent`. */
export function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    each => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** Sorted by encoded name. Give the URL its query by this too, so that both sides sign the same. */
export function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${encodeStrictly(name)}=${encodeStrictly(value)}`)
    .toSorted()
    .join('&')
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
