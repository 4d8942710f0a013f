import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Daemon } from './daemon.ts'

const COMMAND_MS_MAX = 120_000
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024
/** Debian's OpenStack modules exist for Debian's own Python only, so what else is called python3 must come later. */
const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin'

export const PYTHON = '/usr/bin/python3'

/**
 * Where services that belong together live: a private folder, a loopback address of their own (so that ports of other
 * runs are no matter), and their daemons. Closing it ends all daemons, last one first, and takes the folder away.
 */
export class Site {
  readonly folder: string
  /** The address that its services listen on. */
  readonly address: string
  readonly #daemons: Daemon[] = []
  readonly #ports = new Set<number>()

  private constructor(folder: string, address: string) {
    this.folder = folder
    this.address = address
  }

  /** `address`: for services that sandboxed functions must reach, which no loopback address is; see `outerAddress`. */
  static async open(address = loopbackAddress()): Promise<Site> {
    return new Site(await mkdtemp(join(tmpdir(), 'atelier-site-')), address)
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts)
  }

  /** Writes a file below the folder; resolves with its path. */
  async write(name: string, text: string): Promise<string> {
    const path = this.path(name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text, { mode: 0o600 })
    return path
  }

  async folderAt(name: string): Promise<string> {
    await mkdir(this.path(name), { recursive: true, mode: 0o700 })
    return this.path(name)
  }

  /** A port of `address` that nobody listens on, and that this site was not given before. */
  async freePort(): Promise<number> {
    for (;;) {
      const server = createServer()
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(0, this.address, resolve)
      })
      const address = server.address()
      await new Promise<void>(resolve => server.close(() => resolve()))
      assert.ok(typeof address === 'object' && address !== null)
      if (this.#ports.has(address.port)) continue
      this.#ports.add(address.port)
      return address.port
    }
  }

  /** Runs a command to its end. What it said is in the error when it fails. */
  async run(
    command: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<string> {
    const [file, ...args] = command
    try {
      const { stdout } = await promisify(execFile)(file!, args, {
        cwd: this.folder,
        env: environment(this.folder, options.env),
        timeout: COMMAND_MS_MAX,
        maxBuffer: OUTPUT_BYTES_MAX,
      })
      return stdout
    } catch (error) {
      const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string }
      throw new Error(`${command.join(' ')} failed: ${String(error)}\n${stdout ?? ''}\n${stderr ?? ''}`, {
        cause: error,
      })
    }
  }

  /** Starts a program that stays. It is ended with the site, if not before. */
  start(
    name: string,
    command: readonly string[],
    options: { readonly env?: Readonly<Record<string, string>>; readonly stopMsMax?: number } = {},
  ): Daemon {
    const daemon = new Daemon(name, command, {
      folder: this.folder,
      logPath: this.path(`${name}.log`),
      env: environment(this.folder, options.env),
      ...(options.stopMsMax !== undefined && { stopMsMax: options.stopMsMax }),
    })
    this.#daemons.push(daemon)
    return daemon
  }

  /** The last lines of every log, for a test that wants to say why nothing came. */
  async logs(linesMax = 40): Promise<string> {
    const parts = await Promise.all(
      this.#daemons.map(async each => {
        const text = await readFile(each.logPath, 'utf8').catch(() => '')
        return `--- ${each.name}\n${text.split('\n').slice(-linesMax).join('\n')}`
      }),
    )
    return parts.join('\n')
  }

  async close(): Promise<void> {
    for (const daemon of this.#daemons.toReversed()) await daemon.stop()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** An address of this machine that sandboxed functions can reach, when it has one beside loopback. */
export function outerAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap(each => each ?? [])
    .find(each => each.family === 'IPv4' && !each.internal && !each.address.startsWith('169.254.'))?.address
}

/** Switches a SQLite file to write-ahead logging for good: without it, concurrent writers of these services time out. */
export function useWriteAheadLog(site: Site, path: string): Promise<string> {
  const code = `import sqlite3,sys; sqlite3.connect(sys.argv[1]).execute('pragma journal_mode=wal').fetchone()`
  return site.run([PYTHON, '-c', code, path])
}

function loopbackAddress(): string {
  return `127.${randomInt(16, 250)}.${randomInt(0, 256)}.${randomInt(1, 255)}`
}

function environment(
  home: string,
  more: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  return { PATH: SYSTEM_PATH, HOME: home, LANG: 'C.UTF-8', ...more }
}
