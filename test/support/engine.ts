import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const UP_MS_MAX = 60_000
const COMMAND_MS_MAX = 600_000 // an image may be built

/** The image that every engine here has: a shell and small programs, and nothing else. */
export const BUSYBOX = 'localhost/atelier-test/busybox:1'

/** Why no engine can be started here. */
export function engineUnavailable(): string | false {
  if (process.getuid?.() !== 0) return 'an engine of a test needs root'
  for (const program of ['podman', 'conmon', 'runc', 'busybox'])
    if (!programPath(program)) return `${program} is not installed (apt install podman runc busybox-static)`
  return false
}

/** A container engine of a test's own. */
export interface Engine {
  readonly socket: string
  /** The folder in which all is that it has. */
  readonly home: string
  /** Makes an image from a folder of files and instructions such as `CMD ["/bin/server"]`. `architecture`: as Go calls it. */
  image(
    reference: string,
    folder: string,
    instructions: readonly string[],
    architecture?: string,
  ): Promise<void>
  /** Runs its own command line. */
  command(...args: string[]): Promise<string>
  /** Puts an image that it has into the registry that its name begins with. `credentials`: user:password. */
  push(reference: string, credentials: string): Promise<void>
  /** Runs a container to its end: what an engine makes with its first one is there then. */
  once(): Promise<void>
  /** Ids of all containers there are. */
  containers(): Promise<string[]>
  /** Lets it listen, again where it was down. */
  up(): Promise<void>
  /** Ends the engine; its containers run on, as they do when one is updated. */
  down(): Promise<void>
  dispose(): Promise<void>
}

export interface PodmanOptions {
  /** @default runc */
  readonly runtime?: string
  /** Where its folder is made. @default the temporary folder */
  readonly folder?: string
  /** A registry, `host:port`, that speaks HTTP without encryption. */
  readonly registry?: string
  /** Run by an ordinary user of the test's own. */
  readonly isRootless?: boolean
}

/** A Podman of a test's own, with its storage in a folder that goes with it. */
export class PodmanEngine implements Engine {
  readonly socket: string
  readonly home: string
  readonly #args: readonly string[]
  readonly #under: readonly string[]
  #child: ChildProcess | undefined

  private constructor(home: string, runtime: string, under: readonly string[]) {
    this.home = home
    this.#under = under
    this.socket = join(home, 'engine.sock')
    const folders = { root: 'root', runroot: 'run', tmpdir: 'tmp' }
    this.#args = [
      ...Object.entries(folders).flatMap(([flag, name]) => [`--${flag}`, join(home, name)]),
      '--cgroup-manager=cgroupfs',
      '--events-backend=file',
      '--storage-driver=overlay',
      `--runtime=${runtime}`,
    ]
  }

  static async start({
    runtime = 'runc',
    folder,
    registry,
    isRootless = false,
  }: PodmanOptions = {}): Promise<PodmanEngine> {
    const home = await mkdtemp(join(folder ?? tmpdir(), 'atelier-engine-'))
    await writeFile(join(home, 'containers.conf'), '[containers]\ndefault_ulimits=[]\n')
    const plain = registry === undefined ? '' : `[[registry]]\nlocation = "${registry}"\ninsecure = true\n`
    await writeFile(join(home, 'registries.conf'), plain)
    const engine = new PodmanEngine(home, runtime, isRootless ? await asOrdinaryUser(home) : [])
    try {
      const files = join(home, 'busybox')
      await busyboxInto(files)
      await engine.image(BUSYBOX, files, ['ENTRYPOINT ["/bin/busybox"]', 'ENV PATH=/bin'])
      await engine.up()
    } catch (error) {
      await engine.dispose()
      throw error
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
    if (architecture !== undefined) options.push('--arch', architecture)
    await this.command('import', ...options, archive, reference)
    await rm(archive)
  }

  async push(reference: string, credentials: string): Promise<void> {
    await this.command('push', '--quiet', '--creds', credentials, reference)
  }

  async once(): Promise<void> {
    await this.command('run', '--rm', '--ulimit=host', '--network=none', BUSYBOX, 'true')
  }

  command(...args: string[]): Promise<string> {
    const [program, ...rest] = [...this.#under, 'podman', ...this.#args, ...args]
    return commandWith(program!, rest, this.#env())
  }

  async containers(): Promise<string[]> {
    return (await this.command('ps', '-aq')).split('\n').filter(Boolean)
  }

  async up(): Promise<void> {
    const service = ['system', 'service', '--time=0', `unix://${this.socket}`]
    const [program, ...args] = [...this.#under, 'podman', ...this.#args, ...service]
    this.#child = spawn(program!, args, {
      env: this.#env(),
      cwd: this.home, // where it leaves a file when a container is out of memory
      stdio: 'ignore',
      detached: true,
    })
    await listensAt(this.socket, this.#child)
  }

  async down(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
    await rm(this.socket, { force: true })
  }

  async dispose(): Promise<void> {
    await this.down()
    await this.command('rm', '-af', '-t', '0').catch(() => {})
    await this.command('rmi', '-af').catch(() => {})
    if (this.#under.length > 0) await this.command('system', 'migrate').catch(() => {}) // ends what holds its namespace
    await run('umount', ['-l', join(this.home, 'root/overlay')]).catch(() => {})
    await rm(this.home, { recursive: true, force: true, maxRetries: 5 })
  }

  #env(): Record<string, string> {
    return {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.home,
      TMPDIR: this.home,
      ...(this.#under.length > 0 && { XDG_RUNTIME_DIR: this.home }),
      CONTAINERS_CONF: join(this.home, 'containers.conf'),
      CONTAINERS_REGISTRIES_CONF: join(this.home, 'registries.conf'),
    }
  }
}

/** What runs a program as an ordinary user whose folder `home` is, and who has subordinate users: told in its own mounts alone. */
async function asOrdinaryUser(home: string): Promise<readonly string[]> {
  const passwd = await readFile('/etc/passwd', 'utf8')
  await writeFile(join(home, 'passwd'), `${passwd}fn-test:x:${ORDINARY}:${ORDINARY}::${home}:/bin/sh\n`)
  await writeFile(join(home, 'subordinate'), `fn-test:${SUBORDINATE}:65536\n`)
  await writeFile(join(home, 'mounts'), MOUNTS)
  await commandWith('chown', ['-R', `${ORDINARY}:${ORDINARY}`, home])
  const user = ['setpriv', `--reuid=${ORDINARY}`, `--regid=${ORDINARY}`, '--clear-groups']
  return ['unshare', '-m', 'sh', join(home, 'mounts'), home, ...user]
}

const ORDINARY = 1_899_999_000
const SUBORDINATE = 1_900_000_000
const MOUNTS = `set -e
home=$1
shift
mount --bind "$home/passwd" /etc/passwd
mount --bind "$home/subordinate" /etc/subuid
mount --bind "$home/subordinate" /etc/subgid
exec "$@"
`

/** Why no engine of an ordinary user can be started here. */
export function rootlessUnavailable(): string | false {
  for (const program of ['newuidmap', 'setpriv', 'unshare'])
    if (!programPath(program)) return `${program} is not installed (apt install uidmap util-linux)`
  return engineUnavailable()
}

/** Puts a shell and small programs into `folder`. */
export async function busyboxInto(folder: string): Promise<void> {
  await mkdir(join(folder, 'bin'), { recursive: true })
  await copyFile(programPath('busybox')!, join(folder, 'bin/busybox'))
  for (const name of ['sh', 'cat', 'id', 'ls', 'nc', 'touch', 'sleep', 'httpd', 'wget', 'dd', 'mkdir'])
    await symlink('busybox', join(folder, 'bin', name))
}

/** Puts the Node that runs this test into `folder` as `/opt/atelier/node`, with the libraries that it is linked with. */
export async function nodeInto(folder: string): Promise<void> {
  const libraries = (await commandWith('ldd', [process.execPath])).match(/\/\S+/g) ?? []
  for (const path of libraries) {
    await mkdir(join(folder, dirname(path)), { recursive: true })
    await cp(path, join(folder, path), { dereference: true })
  }
  await mkdir(join(folder, 'opt/atelier'), { recursive: true })
  await cp(process.execPath, join(folder, 'opt/atelier/node'), { dereference: true })
}

/** Makes an image with these files, by path, beside a shell and small programs; all may be executed. */
export async function imageWith(
  engine: Engine,
  reference: string,
  files: Readonly<Record<string, string | Uint8Array>>,
  instructions: readonly string[],
  architecture?: string,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'atelier-image-'))
  try {
    await busyboxInto(folder)
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), content, { mode: 0o755 })
    }
    await engine.image(reference, folder, ['ENV PATH=/bin', ...instructions], architecture)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A tar archive of what is in `folder`, all of it root's. */
export async function packed(folder: string, archive: string): Promise<void> {
  await commandWith('tar', ['-C', folder, '--mode=a+rX', '--owner=0', '--group=0', '-cf', archive, '.'])
}

export async function commandWith(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin'
  const { stdout } = await run(program, [...args], { env: { PATH: path, ...env }, timeout: COMMAND_MS_MAX })
  return stdout
}

/** Resolves when something listens at the socket `path`; rejects when `child`, which should, has ended. */
export async function listensAt(path: string, child: ChildProcess): Promise<void> {
  const until = performance.now() + UP_MS_MAX
  while (!(await answers(path))) {
    if (child.exitCode !== null) throw new Error('the engine ended')
    if (performance.now() > until) throw new Error('the engine did not come up')
    await sleep(50)
  }
}

export function programPath(name: string): string | undefined {
  return ['/usr/bin', '/bin', '/usr/sbin', '/sbin', '/usr/local/bin']
    .map(folder => join(folder, name))
    .find(existsSync)
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
