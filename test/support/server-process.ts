import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { BIN, bareEnvironment, serverEnvironment } from './command.ts'
import { type Login, ServerClient } from './server-client.ts'

const READY_MS_MAX = 60_000
const POLL_MS = 25

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
export class ServerProcess extends ServerClient {
  readonly home: string
  readonly #child: ChildProcess
  readonly #exited: Promise<number | NodeJS.Signals>
  readonly #said: { readonly stdout: string; readonly stderr: string }

  private constructor(
    home: string,
    child: ChildProcess,
    exited: Promise<number | NodeJS.Signals>,
    said: { readonly stdout: string; readonly stderr: string },
  ) {
    super(shown(said.stdout, 'API'), shown(said.stdout, 'router'))
    this.#said = said
    this.home = home
    this.#child = child
    this.#exited = exited
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

  get login(): Login & { readonly url: string; readonly routerUrl: string } {
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
