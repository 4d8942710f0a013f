import { randomUUID } from 'node:crypto'
import type { Agent, IncomingMessage } from 'node:http'
import { request as httpsRequest, Agent as TlsAgent } from 'node:https'
import { AtelierError, BODY_BYTES_BUFFERED_MAX, nodeHttp, type Principal } from '../../core/index.ts'
import {
  type Config,
  type Engine,
  type EngineApp,
  EngineError,
  type EngineRoute,
  isObject,
  type NewRoute,
  type RouteChange,
  type RunAnswer,
  type RunCall,
} from '../engine/index.ts'

const ANSWER_MS_MAX = 300_000 // as Picasso's own client
const CONNECTIONS_MAX = 256

interface Received {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: Buffer
}

/** An IronFunctions somewhere else. Of its address scheme, host and port count, as with Picasso. */
export class RemoteEngine implements Engine {
  readonly #origin: URL
  readonly #agent: Agent

  /** Throws INVALID_INPUT for what is no address. */
  constructor(url: string) {
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
      throw new AtelierError('INVALID_INPUT', `The address of the functions engine is not valid: ${url}.`)
    this.#origin = new URL(new URL(url).origin)
    const options = { keepAlive: true, maxSockets: CONNECTIONS_MAX }
    this.#agent = this.#origin.protocol === 'https:' ? new TlsAgent(options) : new (nodeHttp().Agent)(options)
  }

  /** Rejects with UNAVAILABLE when no engine answers there. */
  async check(): Promise<void> {
    try {
      await this.#ask('GET', '/v1/apps')
    } catch (cause) {
      throw new AtelierError('UNAVAILABLE', `No functions engine answers at ${this.#origin.origin}.`, {
        cause,
      })
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async listApps(): Promise<readonly EngineApp[]> {
    return (await this.#ask<{ apps?: EngineApp[] }>('GET', '/v1/apps')).apps ?? []
  }

  async createApp(_by: Principal, app: EngineApp): Promise<EngineApp> {
    const body = { app: { name: app.name, ...(app.config && { config: app.config }) } }
    return (await this.#ask<{ app: EngineApp }>('POST', '/v1/apps', body)).app
  }

  async getApp(_by: Principal, name: string): Promise<EngineApp> {
    return (await this.#ask<{ app: EngineApp }>('GET', `/v1/apps/${encodeURIComponent(name)}`)).app
  }

  async updateApp(by: Principal, name: string, config: Config): Promise<EngineApp> {
    await this.#ask('PATCH', `/v1/apps/${encodeURIComponent(name)}`, { app: { config } })
    return this.getApp(by, name)
  }

  async deleteApp(_by: Principal, name: string): Promise<void> {
    await this.#ask('DELETE', `/v1/apps/${encodeURIComponent(name)}`)
  }

  async listRoutes(_by: Principal, app: string): Promise<readonly EngineRoute[]> {
    return (
      (await this.#ask<{ routes?: EngineRoute[] }>('GET', `/v1/apps/${encodeURIComponent(app)}/routes`))
        .routes ?? []
    )
  }

  async createRoute(_by: Principal, app: string, route: NewRoute): Promise<EngineRoute> {
    const body = { route: { ...route, app_name: app } }
    return (
      await this.#ask<{ route: EngineRoute }>('POST', `/v1/apps/${encodeURIComponent(app)}/routes`, body)
    ).route
  }

  async getRoute(_by: Principal, app: string, path: string): Promise<EngineRoute> {
    return (await this.#ask<{ route: EngineRoute }>('GET', routeAt(app, path))).route
  }

  async updateRoute(by: Principal, app: string, path: string, change: RouteChange): Promise<EngineRoute> {
    if (Object.keys(change).length > 0) await this.#ask('PATCH', routeAt(app, path), { route: change })
    return this.getRoute(by, app, path)
  }

  async deleteRoute(_by: Principal, app: string, path: string): Promise<void> {
    await this.#ask('DELETE', routeAt(app, path))
  }

  async run({ app, path, method, query, payload, signal }: RunCall): Promise<RunAnswer> {
    const target = `/r/${encodeURIComponent(app)}${encodePath(path)}${query}`
    const received = await this.#send(method, target, Buffer.from(payload), signal)
    if (received.status === 202) return { kind: 'async', id: callIdOf(received.body) ?? randomUUID() }
    if (received.status >= 400) throw errorOf(received)
    return { kind: 'sync', id: randomUUID(), ...received }
  }

  async #ask<T>(method: string, path: string, body?: object): Promise<T> {
    const received = await this.#send(method, path, body && Buffer.from(JSON.stringify(body)))
    if (received.status >= 400) throw errorOf(received)
    try {
      return JSON.parse(received.body.toString()) as T
    } catch (cause) {
      throw new EngineError(502, 'The functions engine gave an answer that is not JSON.', { cause })
    }
  }

  async #send(method: string, path: string, body?: Buffer, signal?: AbortSignal): Promise<Received> {
    const send = this.#origin.protocol === 'https:' ? httpsRequest : nodeHttp().request
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const request = send(new URL(path, this.#origin), {
      method,
      agent: this.#agent,
      headers: {
        accept: '*/*',
        ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
      },
      timeout: ANSWER_MS_MAX,
      ...(signal && { signal }),
    })
    request.once('response', resolve)
    request.once('error', reject)
    request.once('timeout', () => request.destroy(new Error('no answer in time')))
    request.end(body)
    try {
      return await whole(await promise)
    } catch (cause) {
      if (cause instanceof EngineError) throw cause
      throw new EngineError(503, `The functions engine at ${this.#origin.origin} does not answer.`, { cause })
    }
  }
}

async function whole(message: IncomingMessage): Promise<Received> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_BUFFERED_MAX) {
      message.destroy()
      throw new EngineError(502, 'The answer of the functions engine is larger than 6 MiB.')
    }
    chunks.push(chunk)
  }
  return { status: message.statusCode ?? 502, headers: [], body: Buffer.concat(chunks) }
}

/** Its own message, or its body where that is none. */
function errorOf({ status, body }: Received): EngineError {
  const text = body.toString()
  try {
    const parsed: unknown = JSON.parse(text)
    const error = isObject(parsed) ? parsed['error'] : undefined
    if (isObject(error) && typeof error['message'] === 'string')
      return new EngineError(status, error['message'])
  } catch {
    // Not JSON: the text is what it says.
  }
  return new EngineError(status, text.slice(0, 2_000))
}

function callIdOf(body: Buffer): string | undefined {
  try {
    const { call_id: id } = JSON.parse(body.toString()) as { call_id?: unknown }
    return typeof id === 'string' && /^[\w-]{1,100}$/.test(id) ? id : undefined
  } catch {
    return undefined
  }
}

function routeAt(app: string, path: string): string {
  return `/v1/apps/${encodeURIComponent(app)}/routes${encodePath(path)}`
}

function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
