import type { IncomingMessage, Agent as PlainAgent } from 'node:http'
import { request as requestTls, Agent as TlsAgent } from 'node:https'
import { AtelierError, nodeHttp } from '../../core/index.ts'

const TIMEOUT_MS = 10_000
const CONNECTIONS_MAX = 32
/** Requests under way or waiting for a connection. */
const PENDING_MAX = 1_000
/** Much more than a token with the largest of catalogues. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024
/** For so long nobody waits again for a Keystone that could not be reached. */
const PAUSE_MS = 1_000
const RETRY_AFTER_S = 5

export interface KeystoneRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/v3`. */
  readonly path: string
  readonly token?: string
  /** The token that is asked about. */
  readonly subject?: string
  /** As what is said: the one who asks keeps to the access rules that the answer tells. */
  readonly keepsRules?: boolean
  readonly body?: object
}

export interface KeystoneAnswer {
  readonly status: number
  readonly subjectToken: string | undefined
  /** `undefined` when it is no JSON. */
  readonly body: unknown
}

/** Speaks to one Keystone over few connections that stay open. What it answers, and what it is told, never goes into an error. */
export class KeystoneHttp {
  readonly #base: string
  readonly #agent: PlainAgent
  #pending = 0
  #downUntil = 0

  /** `base` ends with `/v3`. Throws INVALID_INPUT for what is no address. */
  constructor(base: string, ca?: string) {
    if (!URL.canParse(base) || !/^https?:$/.test(new URL(base).protocol))
      throw new AtelierError('INVALID_INPUT', `The address of Keystone is not valid: ${base.slice(0, 200)}.`)
    const options = { keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: TIMEOUT_MS }
    this.#base = base
    this.#agent = base.startsWith('https:')
      ? new TlsAgent({ ...options, ...(ca !== undefined && { ca }) })
      : new (nodeHttp().Agent)(options)
  }

  /** Rejects with UNAVAILABLE when there is no answer. */
  async ask(request: KeystoneRequest): Promise<KeystoneAnswer> {
    if (performance.now() < this.#downUntil) throw this.unavailable('could not be reached a moment ago')
    if (this.#pending >= PENDING_MAX) throw this.unavailable('has too many requests of ours to answer')
    this.#pending++
    try {
      return await this.#once(request).catch((error: unknown) => {
        // A connection that the other side had closed meanwhile says nothing about Keystone.
        if (request.method === 'GET' && isStale(error)) return this.#once(request)
        throw error
      })
    } catch (cause) {
      if (cause instanceof AtelierError) throw cause
      this.#downUntil = performance.now() + PAUSE_MS
      throw this.unavailable(reasonOf(cause), cause)
    } finally {
      this.#pending--
    }
  }

  /** An error that names this Keystone: `what` goes on after its address. */
  unavailable(what: string, cause?: unknown): AtelierError {
    return new AtelierError('UNAVAILABLE', `Keystone at ${new URL(this.#base).origin} ${what}.`, {
      retryAfterS: RETRY_AFTER_S,
      ...(cause !== undefined && { cause }),
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #once({ method, path, token, subject, keepsRules, body }: KeystoneRequest): Promise<KeystoneAnswer> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const headers = {
      accept: 'application/json',
      'user-agent': 'atelier',
      ...(token !== undefined && { 'x-auth-token': token }),
      ...(subject !== undefined && { 'x-subject-token': subject }),
      ...(keepsRules && { 'openstack-identity-access-rules': '1' }),
      ...(text !== undefined && {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(text)),
      }),
    }
    const begin = this.#base.startsWith('https:') ? requestTls : nodeHttp().request
    return new Promise((resolve, reject) => {
      const options = { method, headers, agent: this.#agent, signal: AbortSignal.timeout(TIMEOUT_MS) }
      const sent = begin(`${this.#base}${path}`, options, response => {
        read(response).then(resolve, (error: unknown) => {
          sent.destroy()
          reject(error)
        })
      })
      sent.once('error', error => reject(sent.reusedSocket ? new Stale(error) : error))
      sent.end(text)
    })
  }
}

/** What ended a connection that had served before. */
class Stale extends Error {
  readonly error: NodeJS.ErrnoException

  constructor(error: NodeJS.ErrnoException) {
    super(error.message, { cause: error })
    this.error = error
  }
}

function isStale(error: unknown): boolean {
  return error instanceof Stale && (error.error.code === 'ECONNRESET' || error.error.code === 'EPIPE')
}

async function read(response: IncomingMessage): Promise<KeystoneAnswer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) throw new Error(`more than ${ANSWER_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  const token = response.headers['x-subject-token']
  return {
    status: response.statusCode ?? 0,
    subjectToken: typeof token === 'string' && token !== '' ? token : undefined,
    body: parse(Buffer.concat(chunks).toString()),
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Words for what commonly goes wrong; messages of libraries stay inside. */
function reasonOf(cause: unknown): string {
  const error = cause instanceof Stale ? cause.error : cause
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError'))
    return `did not answer in ${TIMEOUT_MS / 1000} s`
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ECONNREFUSED') return 'refuses the connection'
  if (/CERT|SSL|TLS|SELF_SIGNED|ALTNAME/.test(code)) return 'shows a certificate that is not trusted'
  return 'cannot be reached'
}
