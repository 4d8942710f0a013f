import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Invocation } from '../../src/core/index.ts'
import { rawTar } from '../builder/archives.ts'

const POLL_MS = 25
const POLLS_MAX = 400

/** An answer of the API, or of the router when it refuses. */
export interface Answer<T = Problem> {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** The body read as JSON; throws when it is none. */
  readonly json: T
}

export interface Problem {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
}

export interface Deployed {
  readonly created: boolean
  readonly url: string
  readonly version: { readonly number: number }
}

/** What the first administrator logs in with. */
export interface Login {
  readonly user: string
  readonly password: string
}

/** A server as its administrator asks it: by its API and its router. */
export abstract class ServerClient {
  readonly url: string
  readonly routerUrl: string
  #token: string | undefined

  constructor(url: string, routerUrl: string) {
    this.url = url
    this.routerUrl = routerUrl
  }

  abstract get login(): Login

  /** Everything else is asked with this token, not with the first administrator's. */
  logIn(token: string): void {
    this.#token = token
  }

  async token(): Promise<string> {
    if (this.#token === undefined) {
      const { user, password } = this.login
      const answer = await fetch(`${this.url}/v1/tokens`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ user, password }),
      })
      this.#token = ((await answer.json()) as { token: string }).token
    }
    return this.#token
  }

  /** One request to the API, as its administrator. */
  async api<T = Problem>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<T>> {
    const isForm = body instanceof FormData
    const response = await fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${await this.token()}`,
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    })
    return answerOf<T>(response)
  }

  /** Sends a package, as it is, to be deployed. */
  upload(
    name: string,
    archive: Uint8Array<ArrayBuffer>,
    settings: object = {},
  ): Promise<Answer<Deployed & Problem>> {
    const form = new FormData()
    form.set('settings', JSON.stringify({ access: 'public', ...settings }))
    form.set('package', new Blob([archive]), 'package')
    return this.api('POST', `/v1/apps/default/functions/${encodeURIComponent(name)}/deploy`, form)
  }

  /** Deploys a function whose files are given here; it must succeed. */
  async deploy(
    name: string,
    files: Readonly<Record<string, string>>,
    settings: object = {},
  ): Promise<Deployed> {
    const answer = await this.tryDeploy(name, files, settings)
    assert.ok(answer.status === 201 || answer.status === 200, `${name}: ${answer.status} ${answer.text}`)
    return answer.json
  }

  tryDeploy(
    name: string,
    files: Readonly<Record<string, string>>,
    settings: object = {},
  ): Promise<Answer<Deployed & Problem>> {
    const entries = Object.entries(files).map(([path, body]) => ({ name: path, body }))
    return this.upload(name, new Uint8Array(rawTar(entries)), settings)
  }

  /** Calls a function of the default app. */
  async call(name: string, init: RequestInit = {}): Promise<Answer> {
    return answerOf(await fetch(`${this.routerUrl}/default/default/${name}`, init))
  }

  /** The record of a call, which is written a little after its answer. */
  async record(id: string | null): Promise<Invocation> {
    assert.ok(id, 'the answer names its invocation')
    let answer = await this.api<Invocation>('GET', `/v1/invocations/${id}`)
    for (let tries = 0; answer.status === 404 && tries < POLLS_MAX; tries++) {
      await sleep(POLL_MS)
      answer = await this.api<Invocation>('GET', `/v1/invocations/${id}`)
    }
    assert.equal(answer.status, 200, answer.text)
    return answer.json
  }

  /** The instances that serve a function of the default app now. */
  async instances(name: string): Promise<readonly InstanceSeen[]> {
    const [found, { json }] = await Promise.all([
      this.api<{ readonly id: string }>('GET', `/v1/apps/default/functions/${name}`),
      this.api<{ readonly items: readonly InstanceSeen[] }>('GET', '/v1/instances?limit=1000'),
    ])
    return json.items.filter(each => each.functionId === found.json.id)
  }
}

interface InstanceSeen {
  readonly id: string
  readonly state: string
  readonly functionId?: string
}

/** A response, read to its end. */
export async function answerOf<T>(response: Response): Promise<Answer<T>> {
  const body = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    text: body,
    get json(): T {
      try {
        return JSON.parse(body) as T
      } catch {
        throw new Error(`this is not JSON: ${body.slice(0, 500)}`)
      }
    },
  }
}
