import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import type { Daemon as Process } from '../daemon.ts'
import { Site } from '../site.ts'

const STOP_MS_MAX = 20_000

/** How a broker is started: its own directory and port are given; the same ones again when it comes back. */
export interface DaemonRecipe {
  readonly name: string
  /** Must not detach. */
  command(place: Place): Promise<{
    readonly program: string
    readonly args: readonly string[]
    readonly env?: Readonly<Record<string, string>>
  }>
  /** Rejects while it does not answer yet; default: its port takes connections. */
  ready?(place: Place): Promise<void>
}

export interface Place {
  readonly folder: string
  readonly port: number
  /** Free too, for protocols that need more than one. */
  readonly otherPorts: readonly number[]
}

/** A broker of a test: a process in a directory of its own, on loopback, that can be started again. */
export class Daemon {
  readonly place: Place
  readonly #recipe: DaemonRecipe
  readonly #site: Site
  #process: Process | undefined

  private constructor(recipe: DaemonRecipe, site: Site, place: Place) {
    this.#recipe = recipe
    this.#site = site
    this.place = place
  }

  static async start(recipe: DaemonRecipe): Promise<Daemon> {
    const site = await Site.open('127.0.0.1')
    const [port, ...otherPorts] = [await site.freePort(), await site.freePort()]
    const daemon = new Daemon(recipe, site, { folder: site.folder, port, otherPorts })
    try {
      await daemon.start()
    } catch (error) {
      await daemon.close()
      throw error
    }
    return daemon
  }

  async start(): Promise<void> {
    const { name } = this.#recipe
    const { program, args, env } = await this.#recipe.command(this.place)
    this.#process = this.#site.start(name, [program, ...args], {
      ...(env && { env }),
      stopMsMax: STOP_MS_MAX,
    })
    await this.#process.ready('it answers', async () => {
      await (this.#recipe.ready?.(this.place) ?? answers(this.place.port))
      return true
    })
  }

  /** Resolves when it is gone. */
  async stop(signal?: NodeJS.Signals): Promise<void> {
    await (signal === 'SIGKILL' ? this.#process?.kill() : this.#process?.stop(signal))
  }

  async close(): Promise<void> {
    await this.stop('SIGKILL')
    await this.#site.close()
  }
}

/** Why the tests with this program are skipped; `undefined` when it is here. */
export function missingProgram(path: string, debian: string): string | undefined {
  return existsSync(path) ? undefined : `${path} is not installed (Debian package ${debian})`
}

function answers(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}
