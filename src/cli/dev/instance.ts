import { type ChildProcess, spawn } from 'node:child_process'
import type { Duplex } from 'node:stream'
import type { Launch } from '../../backends/index.ts'
import { framesContract, type Link } from '../../contracts/index.ts'
import type { DevProject } from './project.ts'

export interface InstanceEvents {
  onLog(stream: 'stdout' | 'stderr', text: string): void
  /** It ended, and nobody had asked it to. */
  onCrash(how: string): void
}

const DRAIN_GRACE_MS = 2_000
const KEPT_VARIABLES = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR'] // as little as in a sandbox, so that what works here works there

/** One plain process with the environment's real shim in it: as on the server, but without a sandbox. */
export class DevInstance {
  readonly link: Link
  readonly exited: Promise<void>
  readonly #child: ChildProcess
  #wanted = true
  #alive = true

  constructor(launch: Launch, nodeArguments: readonly string[], events: InstanceEvents) {
    const [program = '', ...rest] = launch.command.map(part => hostPath(launch, part))
    const kept = Object.fromEntries(
      KEPT_VARIABLES.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    )
    const child = spawn(program, [...nodeArguments, ...rest], {
      env: { ...kept, ...launch.env },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stdout!.setEncoding('utf8').on('data', (text: string) => events.onLog('stdout', text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => events.onLog('stderr', text))
    this.exited = new Promise(resolve => {
      child.once('error', error => {
        events.onCrash(`${program} could not be started: ${error.message}`)
        resolve()
      })
      child.once('exit', (code, signal) => {
        if (this.#wanted) events.onCrash(signal ? `was killed by ${signal}` : `ended with exit code ${code}`)
        resolve()
      })
    })
    this.link = framesContract.prepare().open(
      { channel: child.stdio[3] as Duplex },
      {
        onLog: (_call, stream, text) => events.onLog(stream, text),
        onClose: () => (this.#alive = false), // the process ends with its stream, and `exited` tells
      },
    )
  }

  /** Whether it can take calls. */
  get alive(): boolean {
    return this.#alive
  }

  /** Rejects with the code's own message when it does not load. */
  async load(project: DevProject): Promise<void> {
    const { folder, app, name, entry, config, secrets, limits } = project
    await this.link.ready
    await this.link.load({
      directory: folder,
      entry,
      config,
      secrets,
      function: { project: 'dev', app, name, version: 0 },
      instance: 'dev',
      concurrency: limits.concurrency,
      memoryMiB: limits.memoryMiB,
      timeoutMs: limits.timeoutMs,
    })
  }

  /** Lets running calls finish for a moment, then ends it. */
  async retire(): Promise<void> {
    this.#wanted = false
    this.link.drain()
    const timer = setTimeout(() => this.kill(), DRAIN_GRACE_MS)
    await this.exited
    clearTimeout(timer)
  }

  kill(): void {
    this.#wanted = false
    this.#child.kill('SIGKILL')
  }
}

/** A launch names paths as they are inside a sandbox; here the same files are where they came from. */
function hostPath(launch: Launch, part: string): string {
  const mount = launch.mounts.find(one => part === one.target || part.startsWith(`${one.target}/`))
  return mount ? mount.source + part.slice(mount.target.length) : part
}
