import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUSYBOX, busyboxInto, commandWith, type Engine, listensAt, packed, programPath } from './engine.ts'

/** Why no Docker can be started here. */
export function dockerUnavailable(): string | false {
  if (process.getuid?.() !== 0) return 'an engine of a test needs root'
  for (const program of ['dockerd', 'containerd', 'docker', 'runc', 'busybox'])
    if (!programPath(program)) return `${program} is not installed (apt install docker.io busybox-static)`
  return false
}

export interface DockerOptions {
  /** OCI runtimes beside runc, by their names and arguments. */
  readonly runtimes?: Readonly<Record<string, readonly string[]>>
  /** Sees control groups of one version alone, where the machine mounts both. */
  readonly isPure?: boolean
}

/** The network is the one that is made for the container, in which calls reach it, and not gVisor's own. */
export const GVISOR_ARGS: readonly string[] = ['--network=host']

const PURE = 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"'

/** A Docker of a test's own: daemon, containerd and storage in a folder that goes with it, and no bridge. */
export class DockerEngine implements Engine {
  readonly socket: string
  readonly home: string
  readonly #under: readonly string[]
  #child: ChildProcess | undefined

  private constructor(home: string, under: readonly string[]) {
    this.home = home
    this.#under = under
    this.socket = join(home, 'docker.sock')
  }

  static async start({ runtimes = {}, isPure = false }: DockerOptions = {}): Promise<DockerEngine> {
    const home = await mkdtemp(join(tmpdir(), 'atelier-docker-'))
    const engine = new DockerEngine(home, isPure ? ['unshare', '-m', 'sh', '-c', PURE, 'sh'] : [])
    try {
      const known = Object.entries(runtimes).map(([name, runtimeArgs]) => [
        name,
        { path: programPath(name), runtimeArgs },
      ])
      // With overlays, Docker 20.10 on a new kernel makes a root now and then that its user may not enter.
      const settings = { 'storage-driver': 'vfs', runtimes: Object.fromEntries(known) }
      await writeFile(join(home, 'daemon.json'), JSON.stringify(settings))
      await engine.up()
      const folder = join(home, 'busybox')
      await busyboxInto(folder)
      await engine.image(BUSYBOX, folder, ['ENTRYPOINT ["/bin/busybox"]', 'ENV PATH=/bin'])
    } catch (error) {
      const log = await readFile(join(home, 'log'), 'utf8').catch(() => '')
      await engine.dispose()
      throw new Error(`dockerd: ${log.slice(-2_000)}`, { cause: error })
    }
    return engine
  }

  async image(
    reference: string,
    folder: string,
    instructions: readonly string[],
    architecture?: string,
  ): Promise<void> {
    const archive = join(this.home, 'image.tar')
    await packed(folder, archive)
    const options = instructions.flatMap(each => ['--change', each])
    if (architecture !== undefined) options.push('--platform', `linux/${architecture}`)
    await this.command('import', ...options, archive, reference)
    await rm(archive)
  }

  async push(reference: string, credentials: string): Promise<void> {
    const [registry = ''] = reference.split('/', 1)
    const auths = { [registry]: { auth: Buffer.from(credentials).toString('base64') } }
    await mkdir(join(this.home, '.docker'), { recursive: true })
    await writeFile(join(this.home, '.docker/config.json'), JSON.stringify({ auths }))
    await this.command('push', reference)
  }

  async once(): Promise<void> {
    await this.command('run', '--rm', '--network=none', BUSYBOX, 'true')
  }

  async command(...args: string[]): Promise<string> {
    return commandWith('docker', ['-H', `unix://${this.socket}`, ...args], { HOME: this.home })
  }

  async containers(): Promise<string[]> {
    return (await this.command('ps', '-aq', '--no-trunc')).split('\n').filter(Boolean)
  }

  async up(): Promise<void> {
    const at = (name: string) => join(this.home, name)
    const log = at('log')
    const options = {
      'data-root': at('root'),
      'exec-root': at('exec'),
      pidfile: at('pid'),
      'config-file': at('daemon.json'),
      host: `unix://${this.socket}`,
      bridge: 'none',
      iptables: 'false',
      ip6tables: 'false',
      'ip-masq': 'false',
    }
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
    const command = [...this.#under, '/bin/sh', '-c', 'exec dockerd "$@" >>"$0" 2>&1', log, ...args]
    const [program, ...rest] = command
    this.#child = spawn(program!, rest, {
      cwd: this.home,
      stdio: 'ignore',
      detached: true,
      env: { PATH: PROGRAMS, HOME: this.home },
    })
    await listensAt(this.socket, this.#child)
  }

  async down(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGTERM')
    await exited
    await rm(this.socket, { force: true })
  }

  async dispose(): Promise<void> {
    for (const id of await this.containers().catch(() => []))
      await this.command('rm', '-f', id).catch(() => {})
    await this.down()
    await commandWith('sh', [
      '-c',
      'umount -l "$0"/root/overlay2/*/merged "$0"/exec/netns/* 2>/dev/null; true',
      this.home,
    ])
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 })
  }
}

const PROGRAMS = '/usr/sbin:/usr/bin:/sbin:/bin'
