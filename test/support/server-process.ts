import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Invocation } from '../../src/core/index.ts'
import { rawTar } from '../builder/archives.ts'
import { BIN, bareEnvironment, serverEnvironment } from './command.ts'

const READY_MS_MAX = 60_000
const POLL_MS = 25

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

export interface StartOptions {
  /** An existing home to come up on; without it a new one in the temporary folder. */
  readonly home?: string
  readonly flags?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Another command than `server`, whole; what it needs besides comes by the environment. */
  readonly command?: readonly string[]
  /** Program and arguments that start it in their turn. */
  readonly under?: readonly string[]
}

/** `--name value` for each. */
export function flagsOf(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
}

/** A home of a test's own; removed by `removeHome`. */
export function makeHome(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'atelier-server-'))
}

export function removeHome(home: string): Promise<void> {
  return rm(home, { recursive: true, force: true, maxRetries: 5 })
}

/** A whole server in a process of its own, spoken to as a stranger would: by its API, its router and its command. */
export class ServerProcess {
  readonly home: string
  readonly url: string
  readonly routerUrl: string
  readonly #child: ChildProcess
  readonly #exited: Promise<number | NodeJS.Signals>
  #token: string | undefined

  readonly #said: { readonly stdout: string; readonly stderr: string }

  private constructor(
    home: string,
    child: ChildProcess,
    exited: Promise<number | NodeJS.Signals>,
    said: { readonly stdout: string; readonly stderr: string },
  ) {
    this.#said = said
    this.home = home
    this.#child = child
    this.#exited = exited
    this.url = shown(said.stdout, 'API')
    this.routerUrl = shown(said.stdout, 'router')
  }

  /** Starts a server and waits until it says that it is ready. Rejects with its words when it ends before. */
  static async start({
    home,
    flags = [],
    env = {},
    under = [],
    command,
  }: StartOptions = {}): Promise<ServerProcess> {
    const place = home ?? (await makeHome())
    const args = command ?? [
      'server',
      '--home',
      place,
      '--port',
      '0',
      '--router-port',
      '0',
      '--log-level',
      'warn',
      ...flags,
    ]
    const [program, ...first] = [...under, process.execPath]
    const child = spawn(program, [...first, BIN, ...args], {
      env: serverEnvironment({ HOME: place, ...env }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (said.stdout += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said.stderr += chunk))
    const exited = new Promise<number | NodeJS.Signals>(resolve =>
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 0)),
    )
    await until(
      'the server is ready',
      () => said.stdout.includes('\nTry:') || child.exitCode !== null,
      READY_MS_MAX,
    )
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}: ${said.stderr}`)
    return new ServerProcess(place, child, exited, said)
  }

  get pid(): number {
    return this.#child.pid!
  }

  get login(): {
    readonly url: string
    readonly routerUrl: string
    readonly user: string
    readonly password: string
  } {
    return JSON.parse(readFileSync(join(this.home, 'admin.json'), 'utf8'))
  }

  /** Bytes of memory the server has in use now. */
  get residentBytes(): number {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]
    return Number(kib) * 1024
  }

  /** SIGTERM; resolves with the exit code, or the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals> {
    this.#child.kill('SIGTERM')
    return this.#exited
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** What it wrote on its standard error so far. */
  get stderr(): string {
    return this.#said.stderr
  }

  /** Where a dialect that it was asked for answers. */
  dialectUrl(name: string): string {
    const url = new RegExp(`^ +${name} +(http\\S+)$`, 'm').exec(this.#said.stdout)?.[1]
    if (url === undefined) throw new Error(`the server does not say where ${name} is`)
    return url
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /** Ends it if it still runs, and takes its home away. */
  async dispose(): Promise<void> {
    if (this.isRunning) {
      const patience = setTimeout(() => this.#child.kill('SIGKILL'), 20_000)
      await this.stop()
      clearTimeout(patience)
    }
    await removeHome(this.home)
  }

  /** Where a dialect answers. */
  dialect(name: string): string {
    return shown(this.#said.stdout, name)
  }

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
    for (let tries = 0; answer.status === 404 && tries < 400; tries++) {
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
      this.api<{ readonly items: readonly InstanceSeen[] }>('GET', '/v1/instances'),
    ])
    return json.items.filter(each => each.functionId === found.json.id)
  }

  /** Runs the real command with this server's login. */
  async cli(
    ...args: string[]
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
    const child = spawn(process.execPath, [BIN, ...args], {
      env: bareEnvironment({ HOME: this.home, ATELIER_HOME: this.home }),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const exited = new Promise<number>(resolve => child.once('exit', code => resolve(code ?? -1)))
    const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exited])
    return { code, stdout, stderr }
  }
}

/** An address in what a server says when it is ready. */
function shown(stdout: string, name: string): string {
  const address = new RegExp(`^ +${name} +(http\\S+)`, 'm').exec(stdout)?.[1]
  return address ?? assert.fail(`the server does not say where ${name} is: ${stdout}`)
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

/** Waits until `condition` holds; fails, naming it, when it never does. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const end = performance.now() + withinMs
  while (!(await condition())) {
    assert.ok(performance.now() < end, `it never came to pass that ${what}`)
    await sleep(POLL_MS)
  }
}
