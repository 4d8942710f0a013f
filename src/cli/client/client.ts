import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { CliFailure, EXIT } from '../failure.ts'
import { Http } from './http.ts'
import { cacheToken, type Login } from './login.ts'
import { failureFrom } from './problem.ts'
import type { IssuedToken, Paged } from './wire.ts'

export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>
  /** Sent as JSON. */
  readonly json?: unknown
  /** Made afresh for each try. A body that can be made once only says so with `once`. */
  readonly body?: () => Readable | Uint8Array
  readonly once?: boolean
  /** Whether a POST carries an idempotency key, so that sending it again acts once. @default true */
  readonly repeatable?: boolean
  readonly headers?: Readonly<Record<string, string | string[]>>
}

const JSON_BYTES_MAX = 64 * 1024 * 1024 // an answer of the control plane beyond this is not one
const LINE_CHARACTERS_MAX = 8 * 1024 * 1024
const PAGE_SIZE = 200

/** The API, as this program uses it: authenticated, with failures that can be shown. */
export class Client {
  readonly login: Login
  readonly #http = new Http()
  readonly #signal: AbortSignal
  #token: string | undefined

  constructor(login: Login, signal: AbortSignal) {
    this.login = login
    this.#signal = signal
    this.#token = login.token
  }

  /** The answer's body. Rejects with a CliFailure for every status of 400 and above. */
  async request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const answer = await this.send(method, path, options)
    const text = await readText(answer)
    return (text === '' ? undefined : parseJson(text, path)) as T
  }

  get<T>(path: string, query: RequestOptions['query'] = {}): Promise<T> {
    return this.request<T>('GET', path, { query })
  }

  /** All pages of a list, or its first `limit` items. */
  async all<T>(
    path: string,
    query: RequestOptions['query'] = {},
    limit = Number.POSITIVE_INFINITY,
  ): Promise<T[]> {
    const items: T[] = []
    let cursor: string | undefined
    do {
      const size = Math.min(PAGE_SIZE, limit - items.length)
      const page: Paged<T> = await this.get<Paged<T>>(path, { ...query, limit: size, cursor })
      items.push(...page.items)
      cursor = page.next
    } while (cursor !== undefined && items.length < limit)
    return items.slice(0, limit)
  }

  /** A stream of JSON lines, one by one as they come. */
  async *lines<T>(method: string, path: string, options: RequestOptions = {}): AsyncGenerator<T> {
    const headers = { accept: 'application/x-ndjson', ...options.headers }
    const answer = await this.send(method, path, { ...options, headers })
    let rest = ''
    answer.setEncoding('utf8')
    try {
      for await (const chunk of answer as AsyncIterable<string>) {
        rest += chunk
        if (rest.length > LINE_CHARACTERS_MAX)
          throw new CliFailure(EXIT.failed, 'the server sent a line without an end')
        const complete = rest.split('\n')
        rest = complete.pop()!
        for (const line of complete) if (line.trim()) yield parseJson(line, path) as T
      }
    } catch (cause) {
      if (this.#signal.aborted || cause instanceof CliFailure) throw cause
      throw new CliFailure(EXIT.unreachable, `the connection to ${this.login.url} broke off`, { cause })
    }
    if (rest.trim()) yield parseJson(rest, path) as T
  }

  /** The raw answer, with a status below 400 unless `anyStatus`. A token that has expired is renewed once, silently. */
  async send(
    method: string,
    path: string,
    options: RequestOptions & { anyStatus?: boolean } = {},
  ): Promise<IncomingMessage> {
    const idempotencyKey = method === 'POST' && options.repeatable !== false ? randomUUID() : undefined // the retry after a login must not act twice
    if (options.once && this.#token !== undefined && this.login.credentials) await this.#checkToken()
    let answer = await this.#try(method, path, options, idempotencyKey)
    if (answer.statusCode === 401 && this.login.credentials && !options.once) {
      answer.resume()
      this.#token = undefined
      answer = await this.#try(method, path, options, idempotencyKey)
    }
    if ((answer.statusCode ?? 500) < 400 || options.anyStatus) return answer
    throw failureFrom(answer.statusCode ?? 500, await readText(answer), this.login, path)
  }

  /** A token that the server takes now, of the project that was asked for. */
  async token(): Promise<IssuedToken> {
    const { credentials, project, url } = this.login
    if (project === undefined) {
      const known = await this.get<Omit<IssuedToken, 'token'>>('/v1/whoami')
      return { token: this.#token!, ...known }
    }
    if (!credentials)
      throw new CliFailure(EXIT.notAllowed, `a token of project ${project} takes a password`, {
        hint: `Use "atelier login ${url} --project ${project}", then leave --project out.`,
      })
    return await issueToken(this.#http, url, { ...credentials, project }, this.#signal)
  }

  close(): void {
    this.#http.close()
  }

  /** A body that cannot be sent twice goes out only with a token that the server still knows. */
  async #checkToken(): Promise<void> {
    const answer = await this.#try('GET', '/v1/whoami', {}, undefined)
    answer.resume()
    if (answer.statusCode === 401) this.#token = undefined
  }

  async #try(
    method: string,
    path: string,
    options: RequestOptions,
    idempotencyKey: string | undefined,
  ): Promise<IncomingMessage> {
    this.#token ??= await this.#logIn()
    const url = new URL(this.login.url + path)
    for (const [name, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value))
    const json = options.json === undefined ? undefined : Buffer.from(JSON.stringify(options.json))
    return await this.#http.send({
      method,
      url,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${this.#token}`,
        ...(this.login.project && { 'atelier-project': this.login.project }),
        ...(json && { 'content-type': 'application/json', 'content-length': String(json.length) }),
        ...(idempotencyKey && { 'idempotency-key': idempotencyKey }),
        ...options.headers,
      },
      body: json ?? options.body?.(),
      signal: this.#signal,
    })
  }

  async #logIn(): Promise<string> {
    const { credentials, cacheKey, url } = this.login
    if (!credentials)
      throw new CliFailure(EXIT.notAllowed, `not logged in to ${url}`, {
        hint: `Use "atelier login ${url}", or set ATELIER_TOKEN.`,
      })
    const issued = await issueToken(this.#http, url, credentials, this.#signal)
    if (cacheKey) cacheToken(process.env, cacheKey, issued)
    return issued.token
  }
}

/** Proves a password to the server and gets a token for it. */
export async function issueToken(
  http: Http,
  url: string,
  credentials: { user: string; password: string; project?: string },
  signal: AbortSignal,
): Promise<IssuedToken> {
  const body = Buffer.from(JSON.stringify(credentials))
  const headers = {
    'content-type': 'application/json',
    'content-length': String(body.length),
    accept: 'application/json',
  }
  const answer = await http.send({ method: 'POST', url: new URL(`${url}/v1/tokens`), headers, body, signal })
  const text = await readText(answer)
  if (answer.statusCode === 401)
    throw new CliFailure(
      EXIT.notAllowed,
      `${url} does not let ${credentials.user} in: user, password or project is wrong`,
      {
        hint: `Log in with "atelier login ${url} --user NAME". An operator lets users in: "atelier project grant PROJECT USER member".`,
      },
    )
  if ((answer.statusCode ?? 500) >= 400) throw failureFrom(answer.statusCode ?? 500, text, { url })
  return parseJson(text, '/v1/tokens') as IssuedToken
}

async function readText(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > JSON_BYTES_MAX) throw new CliFailure(EXIT.failed, 'the answer of the server is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CliFailure(EXIT.failed, `what answered ${path} does not speak the API of Atelier`, {
      hint: 'Check the URL: the API listens on port 1881, functions on 1882.',
      cause,
    })
  }
}
