import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const READY_MS_MAX = 120_000
const STOP_MS_MAX = 15_000
const POLL_MS = 100
const TAIL_LINES = 60

export interface DaemonOptions {
  readonly folder: string
  /** Where its output goes. */
  readonly logPath: string
  readonly env: Readonly<Record<string, string>>
  /** How long it may take to end by itself before it is killed. @default 15 s */
  readonly stopMsMax?: number
}

/**
 * A program that a test runs beside itself, in a process group of its own, its words in a file. The group ends with
 * `stop`, and also when the test's process is gone without a word: a guard waits at a pipe for that.
 */
export class Daemon {
  readonly name: string
  readonly logPath: string
  readonly #child: ChildProcess
  readonly #guard: ChildProcess
  readonly #exited: Promise<void>
  readonly #stopMsMax: number
  #failure: Error | undefined

  constructor(name: string, command: readonly string[], options: DaemonOptions) {
    this.name = name
    this.logPath = options.logPath
    this.#stopMsMax = options.stopMsMax ?? STOP_MS_MAX
    const log = openSync(options.logPath, 'a', 0o600)
    const [file, ...args] = command
    this.#child = spawn(file!, args, {
      cwd: options.folder,
      env: options.env,
      detached: true,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#exited = new Promise(resolve => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', error => {
        this.#failure = error
        resolve()
      })
    })
    this.#guard = spawn('/bin/sh', ['-c', 'read _; kill -KILL -- -$1', 'guard', String(this.#child.pid)], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    this.#guard.unref()
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isRunning(): boolean {
    return this.#failure === undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Waits until `probe` holds; its failures count as no. Rejects with the end of the log when it never does. */
  async ready(what: string, probe: () => Promise<boolean>, withinMs = READY_MS_MAX): Promise<void> {
    const end = performance.now() + withinMs
    while (!(await probe().catch(() => false))) {
      if (!this.isRunning) throw this.#error(`ended before ${what}`)
      if (performance.now() > end) throw this.#error(`was not ready in ${withinMs / 1000} s: ${what}`)
      await sleep(POLL_MS)
    }
  }

  /** The last lines it wrote. */
  tail(): string {
    return readFileSync(this.logPath, 'utf8').split('\n').slice(-TAIL_LINES).join('\n')
  }

  /** The signal, then SIGKILL, to the whole group. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    if (this.isRunning) {
      signalGroup(this.#child.pid!, signal)
      await Promise.race([this.#exited, sleep(this.#stopMsMax, undefined, { ref: false })])
    }
    await this.kill()
  }

  /** SIGKILL to the whole group. */
  async kill(): Promise<void> {
    this.#guard.kill('SIGKILL')
    if (this.#child.pid === undefined) return
    signalGroup(this.#child.pid, 'SIGKILL')
    await this.#exited
  }

  #error(what: string): Error {
    const cause = this.#failure ?? `exit ${this.#child.exitCode} ${this.#child.signalCode ?? ''}`
    return new Error(`${this.name} ${what} (${String(cause)}). It said:\n${this.tail()}`)
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // nobody of the group is left
  }
}
