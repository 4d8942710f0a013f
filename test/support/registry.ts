import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Daemon } from './daemon.ts'

const PROGRAM = '/usr/bin/docker-registry'

export function registryUnavailable(): string | false {
  return existsSync(PROGRAM) ? false : 'docker-registry is not installed (apt install docker-registry)'
}

/** A registry of a test's own, on loopback, that knows one user. */
export class TestRegistry {
  static readonly user = 'tester'
  /** Of a length with which the encoded credentials do not end by themselves. */
  static readonly password = 'correct horses'
  /** `127.0.0.1:PORT` */
  readonly host: string
  readonly #home: string
  readonly #daemon: Daemon

  private constructor(home: string, daemon: Daemon, port: string) {
    this.#home = home
    this.#daemon = daemon
    this.host = `127.0.0.1:${port}`
  }

  static async start(): Promise<TestRegistry> {
    const home = await mkdtemp(join(tmpdir(), 'atelier-registry-'))
    const at = (name: string) => join(home, name)
    // bcrypt of the password, since the registry takes nothing else.
    const hash = '$2b$04$abcdefghijklmnopqrstuuZq2WTZGYX1GYZK/zIfwE8gyLXoHb48a'
    await writeFile(at('users'), `${TestRegistry.user}:${hash}\n`)
    // JSON is YAML as well.
    const config = {
      version: 0.1,
      log: { level: 'info', formatter: 'text' },
      storage: { filesystem: { rootdirectory: at('blobs') } },
      http: { addr: '127.0.0.1:0', secret: 'of a test' },
      auth: { htpasswd: { realm: 'test', path: at('users') } },
    }
    await writeFile(at('config.yml'), JSON.stringify(config))
    const daemon = new Daemon('docker-registry', [PROGRAM, 'serve', at('config.yml')], {
      folder: home,
      logPath: at('log'),
      env: { PATH: '/usr/bin:/bin', OTEL_TRACES_EXPORTER: 'none' },
    })
    const port = () => /listening on 127\.0\.0\.1:(\d+)/.exec(daemon.tail())?.[1]
    try {
      await daemon.ready('it listens', async () => port() !== undefined)
    } catch (error) {
      await daemon.kill()
      await rm(home, { recursive: true, force: true })
      throw error
    }
    return new TestRegistry(home, daemon, port()!)
  }

  async dispose(): Promise<void> {
    await this.#daemon.kill()
    await rm(this.#home, { recursive: true, force: true })
  }
}
