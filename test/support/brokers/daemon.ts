import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const START_TIMEOUT_MS = 120_000

/** How a broker is started: its own directory and port are given; the same ones again when it comes back. */
export interface DaemonRecipe {
  readonly name: string
  /** Must not detach. */
  command(
    place: Place,
  ): Promise<{ readonly program: string; readonly args: readonly string[]; readonly env?: NodeJS.ProcessEnv }>
  /** Rejects while it does not answer yet; default: its port takes connections. */
  ready?(place: Place): Promise<void>
}

export interface Place {
  readonly folder: string
  readonly port: number
  /** Free too, for protocols that need more than one. */
  readonly otherPorts: readonly number[]
}

/** A broker of a test: a process in a directory of its own, on loopback. */
export class Daemon {
  readonly place: Place
  readonly #recipe: DaemonRecipe
  #child: ChildProcess | undefined
  #output = ''

  private constructor(recipe: DaemonRecipe, place: Place) {
    this.#recipe = recipe
    this.place = place
  }

  static async start(recipe: DaemonRecipe): Promise<Daemon> {
    const folder = await mkdtemp(join(tmpdir(), `atelier-${recipe.name}-`))
    const [port, ...otherPorts] = await freePorts(4)
    const daemon = new Daemon(recipe, { folder, port: port!, otherPorts })
    try {
      await daemon.start()
    } catch (error) {
      await daemon.close()
      throw error
    }
    return daemon
  }

  async start(): Promise<void> {
    const { program, args, env } = await this.#recipe.command(this.place)
    this.#output = ''
    // A group of its own: some brokers are a script and what it starts.
    const child = spawn(program, args, {
      cwd: this.place.folder,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    this.#child = child
    const keep = (chunk: Buffer) => (this.#output = (this.#output + chunk.toString()).slice(-4_096))
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    const until = Date.now() + START_TIMEOUT_MS
    while (true) {
      if (child.exitCode !== null || child.signalCode !== null)
        throw new Error(`${this.#recipe.name} ended at its start: ${this.#output}`)
      try {
        await (this.#recipe.ready?.(this.place) ?? answers(this.place.port))
        return
      } catch (error) {
        if (Date.now() > until)
          throw new Error(`${this.#recipe.name} did not start: ${this.#output}`, { cause: error })
        await sleep(50)
      }
    }
  }

  /** Resolves when it is gone. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise(resolve => child.once('exit', resolve))
    process.kill(-child.pid, signal)
    const hard = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), 20_000)
    await gone
    clearTimeout(hard)
    // What the group left: a script's child may outlive it by a moment.
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // nothing left
    }
  }

  async close(): Promise<void> {
    await this.stop('SIGKILL')
    await rm(this.place.folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
  }
}

/** Why the tests with this program are skipped; `undefined` when it is here. */
export function missingProgram(path: string, debian: string): string | undefined {
  return existsSync(path) ? undefined : `${path} is not installed (Debian package ${debian})`
}

export function answers(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer()
          server.on('error', reject)
          server.listen(0, '127.0.0.1', () => resolve(server))
        }),
    ),
  )
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
