import { request as requestHttps } from 'node:https'
import { AtelierError, type GuardedNetwork, nodeHttp } from '../../../core/index.ts'

const TIMEOUT_MS = 60_000
/** More than the largest page of a listing: 5,000 names of 1,024 bytes, escaped. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024

export interface Ask {
  readonly method: 'GET' | 'POST'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answer {
  readonly status: number
  header(name: string): string | undefined
  readonly body: Buffer
}

export type HttpClient = (ask: Ask, signal: AbortSignal) => Promise<Answer>

/**
 * One request at a time to servers that a tenant named: only to addresses that are allowed, no redirects, bounded in time
 * and size. Rejects with UNAVAILABLE, or FORBIDDEN for the address.
 */
export function createHttpClient(network: GuardedNetwork): HttpClient {
  return async ({ method, url, headers, body }, signal) => {
    await network.resolve(url.hostname) // a literal address never comes to `lookup`
    const where = `${url.protocol}//${url.host}`
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    const ends = AbortSignal.any([signal, timeout])
    const request = url.protocol === 'https:' ? requestHttps : nodeHttp().request
    return new Promise<Answer>((resolve, reject) => {
      const fail = (cause: unknown): void => {
        if (cause instanceof AtelierError) return reject(cause)
        const why = timeout.aborted ? `did not answer in ${TIMEOUT_MS / 1000} s` : reasonOf(cause)
        reject(new AtelierError('UNAVAILABLE', `${where} ${why}.`, { cause }))
      }
      const options = { method, headers, lookup: network.lookup, agent: false, signal: ends } as const
      const sent = request(url, options, response => {
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > ANSWER_BYTES_MAX)
            sent.destroy(
              new AtelierError('UNAVAILABLE', `${where} answered more than ${ANSWER_BYTES_MAX} bytes.`),
            )
          else chunks.push(chunk)
        })
        response.once('error', fail)
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            header: name => {
              const value = response.headers[name]
              return Array.isArray(value) ? value[0] : value
            },
            body: Buffer.concat(chunks),
          }),
        )
      })
      sent.once('error', fail)
      sent.end(body)
    })
  }
}

/** Words for what commonly goes wrong; messages of libraries stay inside. */
function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ECONNREFUSED') return 'refuses the connection'
  if (code === 'ECONNRESET') return 'broke the connection'
  if (code === 'ENETUNREACH' || code === 'EHOSTUNREACH' || code === 'ETIMEDOUT') return 'cannot be reached'
  if (/CERT|SSL|TLS|SELF_SIGNED|ALTNAME/.test(code)) return 'shows a certificate that is not trusted'
  return 'cannot be read from'
}
