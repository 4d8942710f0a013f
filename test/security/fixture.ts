import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { BIN, bareEnvironment } from '../support/command.ts'

const MIB = 1024 * 1024

/** Why these tests cannot run here, or false. */
export const skip = spawnSync('bwrap', ['--version']).status !== 0 && 'bubblewrap is not installed'

interface Tenant {
  readonly project: string
  readonly token: string
}

export interface Deployment {
  readonly code: string
  /** Default: `index.mjs`. */
  readonly file?: string
  readonly settings?: Readonly<Record<string, unknown>>
}

/** A real server in a process of its own, and tenants who mean it harm. */
export class Victim {
  readonly home: string
  readonly api: string
  readonly router: string
  readonly #child: ChildProcess
  readonly #adminToken: string

  private constructor(home: string, child: ChildProcess, addresses: Login, adminToken: string) {
    this.home = home
    this.#child = child
    this.api = addresses.url
    this.router = addresses.routerUrl
    this.#adminToken = adminToken
  }

  static async start(t: TestContext, flags: readonly string[] = []): Promise<Victim> {
    const home = await mkdtemp(join(tmpdir(), 'atelier-victim-'))
    const child = spawn(
      process.execPath,
      [BIN, 'server', '--home', home, '--port', '0', '--router-port', '0', '--warm-instances', '1', ...flags],
      // What only the server may know: no tenant's code may ever see it.
      {
        env: bareEnvironment({ SERVERS_SECRET: MARK }),
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    const exited = once(child, 'exit')
    t.after(async () => {
      child.kill('SIGKILL')
      await exited
      await rm(home, { recursive: true, force: true })
    })
    let said = ''
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (text: string) => {
          said += text
          if (said.includes('is ready')) resolve()
        })
      child.once('exit', () => reject(new Error(`the server ended:\n${said}`)))
    })
    const login = JSON.parse(readFileSync(join(home, 'admin.json'), 'utf8')) as Login
    return new Victim(home, child, login, await tokenFor(login.url, login.user, login.password))
  }

  get admin(): Tenant {
    return { project: 'default', token: this.#adminToken }
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resident memory of the server, in MiB. */
  memoryMiB(): number {
    const [, kib] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []
    return Math.round((Number(kib) * 1024) / MIB)
  }

  /** A project with one user of `role`. */
  async tenant(name: string, role = 'member'): Promise<Tenant> {
    const password = `${name}-${MARK}`
    const made = await this.call(this.admin, 'POST', '/v1/projects', { name })
    assert.ok([201, 409].includes(made.status), await made.text())
    const user = `${role}-of-${name}`
    assert.equal((await this.call(this.admin, 'POST', '/v1/users', { name: user, password })).status, 201)
    const grant = await this.call(this.admin, 'PUT', `/v1/projects/${name}/grants`, { user, role })
    assert.ok(grant.ok, await grant.text())
    return { project: name, token: await tokenFor(this.api, user, password) }
  }

  call(by: Tenant | undefined, method: string, path: string, body?: unknown): Promise<Response> {
    return fetch(this.api + path, {
      method,
      headers: {
        ...(by && { authorization: `Bearer ${by.token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
  }

  /** Deploys one public file as `main/<name>` and gives its address. */
  async deploy(
    by: Tenant,
    name: string,
    { code, file = 'index.mjs', settings }: Deployment,
  ): Promise<string> {
    const form = new FormData()
    form.append('settings', JSON.stringify({ access: 'public', ...settings }))
    form.append('package', new Blob([code]), file)
    const answer = await fetch(`${this.api}/v1/apps/main/functions/${name}/deploy`, {
      method: 'POST',
      headers: { authorization: `Bearer ${by.token}` },
      body: form,
    })
    assert.ok(answer.ok, await answer.text())
    return `${this.router}/${by.project}/main/${name}`
  }
}

/** Stands for every secret of the server. */
export const MARK = 'mark-7c1e0b'

interface Login {
  readonly url: string
  readonly routerUrl: string
  readonly user: string
  readonly password: string
}

async function tokenFor(url: string, user: string, password: string): Promise<string> {
  const answer = await fetch(`${url}/v1/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user, password }),
  })
  assert.equal(answer.status, 201, `no login for ${user}`)
  return ((await answer.json()) as { token: string }).token
}
