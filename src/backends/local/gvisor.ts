import { type ChildProcess, spawn } from 'node:child_process'
import { basename, dirname, join } from 'node:path'
import type { Duplex, Readable, Writable } from 'node:stream'
import { command, findProgram, OWN_SESSION, words } from './commands.ts'
import { guardLaunch, MORTAL, pipeOf } from './launch.ts'
import type { Identity, Launched, Launcher, LaunchSpec, Mount } from './launcher.ts'
import { FUNCTION_TARGET } from './policy.ts'
import { startTime } from './procfs.ts'
import { firstProcess, quote, steps } from './unshare.ts'

const CHANNEL_FD = 3
const INFO_FD = 4
const BLOCK_FD = 5
const CONFIG_FD = 6
const GUEST = '/guest'
const BUNDLES = '/bundles'
const SOCKETS = '/sockets'
const PLACE_BYTES_MAX = '1m' // names, the state of one sandbox and its description
const MODE_OF_PLACE = 'mode=755'

/** In which order the ways to run a guest's code are tried: the faster first, the one that works everywhere last. */
export const PLATFORMS = ['systrap', 'ptrace'] as const
export type Platform = (typeof PLATFORMS)[number]

/** Where `Attendant` finds the bundles of a generic sandbox, and where it shows one. The guest has never seen the others. */
export const GVISOR_PLACES = { from: BUNDLES, onto: `${GUEST}${FUNCTION_TARGET}` }

/** Paths of the programs that it takes. */
export interface GvisorPrograms {
  readonly runsc: string
  readonly unshare: string
  readonly nsenter: string
}

/** The programs, or why it cannot be. */
export function findGvisor(): GvisorPrograms | { readonly reason: string } {
  const runsc = findProgram('runsc')
  if (runsc === undefined)
    return {
      reason: 'runsc is not installed (apt install runsc, or https://gvisor.dev/docs/user_guide/install)',
    }
  const unshare = findProgram('unshare')
  const nsenter = findProgram('nsenter')
  if (unshare === undefined || nsenter === undefined)
    return { reason: 'unshare and nsenter (util-linux) are not installed' }
  if (findProgram('ip') === undefined) return { reason: 'ip (iproute2) is not installed' }
  return { runsc, unshare, nsenter }
}

/**
 * Sandboxes by gVisor: a kernel of its own, in user space, answers the system calls of the code. Around it are the namespaces that the
 * other launchers use too, and in them nothing of the host's files but what it is to show: whoever breaks out of gVisor
 * is the same user of its own, without rights, as code in a sandbox of the tier `process`.
 */
export class GvisorLauncher implements Launcher {
  readonly name = 'gvisor'
  readonly #programs: GvisorPrograms
  readonly #platform: Platform
  readonly #root: string
  readonly #bundlesPath: string

  /** `root`: an empty folder of ours, over which each sandbox puts its files together, unseen by the others. */
  constructor(programs: GvisorPrograms, platform: Platform, root: string, bundlesPath: string) {
    this.#programs = programs
    this.#platform = platform
    this.#root = root
    this.#bundlesPath = bundlesPath
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    const child = this.#spawn(spec)
    const launched = await guardLaunch(child, spec, signal, {
      channelFd: CHANNEL_FD,
      firstProcess: () => firstProcess(pipeOf(child, INFO_FD) as Readable),
      release: () => (pipeOf(child, BLOCK_FD) as Writable).end('go\n'),
      isComplete: () => true, // it is put together before it is held
    })
    const { pid } = launched
    const terminate = () => {
      if (startTime(pid) === launched.since) this.#signal(pid, spec.identity)
    }
    // Its stdin is what comes over the channel after the environment: the guest is given no more than three descriptors.
    const { folder } = spec
    const pathOutside = (path: string) =>
      folder !== undefined && dirname(path) === folder ? join(SOCKETS, basename(path)) : undefined
    return {
      ...launched,
      pathOutside,
      terminate,
      ...(spec.stdin === true && { stdin: launched.channel as Duplex }),
    }
  }

  /** Sends SIGTERM to the command; gVisor's own process would die of one. Whoever asked kills it if that leads to nothing. */
  #signal(pid: number, identity: Identity): void {
    const user = identity.kind === 'mapped' ? ['-U', '--preserve-credentials'] : []
    const into = ['-t', String(pid), ...user, ...words('-m -n -p --'), ...asUser(identity)]
    command(this.#programs.nsenter, [
      ...into,
      this.#programs.runsc,
      '--root=/state',
      'kill',
      'guest',
      'TERM',
    ]).catch(
      () => {}, // it has ended by itself
    )
  }

  #spawn(spec: LaunchSpec): ChildProcess {
    const user = spec.identity.kind === 'mapped' ? ' --user --map-root-user' : ''
    const [program, ...first] = MORTAL
    const child = spawn(
      program!,
      [
        ...first,
        this.#programs.unshare,
        ...words(
          `--mount --propagation private --pid --net --ipc --uts --cgroup --fork --kill-child${user} -- /bin/sh -c`,
        ),
        this.#script(spec),
      ],
      {
        ...OWN_SESSION,
        env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe', spec.channel ? 'pipe' : 'ignore', 'pipe', 'pipe', 'pipe'],
      },
    )
    const description = pipeOf(child, CONFIG_FD) as Writable
    description.on('error', () => {}) // it ended early; its exit tells more
    description.end(JSON.stringify(describe(spec)))
    return child
  }

  /**
   * Puts the guest's files together on a tmpfs beside the programs that it takes, makes that the root, waits, and becomes gVisor. What is
   * mounted over the guest's /function later comes to gVisor's own view of it, which follows this one.
   */
  #script(spec: LaunchSpec): string {
    const root = quote(this.#root)
    const guest = `${this.#root}${GUEST}`
    const isGeneric = (mount: Mount) => mount.kind === 'bind' && mount.source === this.#bundlesPath
    return [
      'set -e # sandbox',
      'read -r pid rest < /proc/self/stat',
      `mount -t tmpfs -o ${MODE_OF_PLACE},size=${PLACE_BYTES_MAX} none ${root}`,
      `cd ${root}`,
      'mkdir .old bundle proc state tmp dev bundles guest',
      'mkdir -m 700 sockets',
      ...spec.mounts.filter(isSystem).flatMap(mount => steps(mount, this.#root)),
      ': > dev/null',
      'mount --bind /dev/null dev/null',
      // Without nosuid and nodev, which gVisor would have to repeat and does not; there is nothing on it but names.
      `mount -t tmpfs -o ${MODE_OF_PLACE},size=${PLACE_BYTES_MAX} none guest`,
      'mkdir guest/proc guest/dev guest/tmp guest/sys',
      `mkdir -p ${[FUNCTION_TARGET, ...(spec.folder === undefined ? [] : [spec.folder])].map(each => quote(guest + each)).join(' ')}`,
      ...spec.mounts
        .filter(isShown)
        .flatMap(mount =>
          isGeneric(mount)
            ? steps({ kind: 'bind', source: this.#bundlesPath, target: BUNDLES, writable: false }, this.#root)
            : steps(mount, guest),
        ),
      `cat <&${CONFIG_FD} > bundle/config.json`,
      ...(spec.identity.kind === 'own' ? [`chown ${spec.identity.uid} state sockets`] : []),
      'ip link set lo up 2>/dev/null || true',
      'pivot_root . .old',
      'cd /',
      'mount -t proc -o nosuid,nodev,noexec none /proc',
      'umount -l /.old',
      `mount --make-shared ${GUEST}`,
      `echo "$pid" >&${INFO_FD}`,
      `exec ${INFO_FD}>&- ${CONFIG_FD}<&-`,
      `read -r go <&${BLOCK_FD}`,
      `exec ${BLOCK_FD}<&-`,
      ...(spec.channel ? [`exec <&${CHANNEL_FD} ${CHANNEL_FD}<&-`] : []),
      `exec ${this.#command(spec)}`,
    ].join('\n')
  }

  /** gVisor itself: as root of a user namespace where it may nothing outside. Its network is that of the namespace around it. */
  #command(spec: LaunchSpec): string {
    const { identity } = spec
    const become =
      identity.kind === 'own' ? [...asUser(identity), ...words('unshare --user --map-root-user --')] : []
    return `${become.join(' ')} prlimit --core=0 -- ${this.#programs.runsc} --platform=${this.#platform} --network=host --ignore-cgroups --file-access=shared ${spec.folder === undefined ? '' : '--host-uds=create '}--root=/state run --bundle /bundle guest`
  }
}

/** The steps to the user that a sandbox is: gVisor obeys nobody else. */
function asUser(identity: Identity): string[] {
  return identity.kind === 'own'
    ? words(
        `setpriv --reuid ${identity.uid} --regid ${identity.uid} --clear-groups --no-new-privs --pdeathsig KILL --`,
      )
    : []
}

/** What the programs around the guest need of the host. */
function isSystem(mount: Mount): boolean {
  return 'target' in mount && /^\/(usr|s?bin|lib[a-z0-9]*)$/.test(mount.target)
}

/** What of the file system is put together here; the rest gVisor makes by itself. */
function isShown({ kind, target }: Mount): boolean {
  return (kind === 'bind' || kind === 'symlink') && !target.startsWith('/dev/')
}

/** What lies below a folder that gVisor makes empty (a shim that was made below /tmp): it would be covered there. */
function isCovered(mount: Mount, mounts: readonly Mount[]): boolean {
  return mounts.some(({ kind, target }) => kind === 'tmpfs' && mount.target.startsWith(`${target}/`))
}

/** The sandbox as gVisor reads it (OCI's runtime specification). */
function describe(spec: LaunchSpec): object {
  // In a folder of the machine gVisor can make nothing for a user that its user namespace does not know.
  const uid = spec.identity.kind === 'own' && spec.folder === undefined ? spec.identity.uid : 0
  const { openFiles, processes, fileBytes } = spec.rlimits
  const limit = (type: string, value: number) => ({ type: `RLIMIT_${type}`, soft: value, hard: value })
  return {
    ociVersion: '1.0.0',
    process: {
      user: { uid, gid: uid },
      args: spec.channel ? overStdin(spec) : spec.command,
      env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
      cwd: spec.directory,
      noNewPrivileges: true,
      capabilities: {},
      rlimits: [
        limit('NOFILE', openFiles),
        limit('NPROC', processes),
        limit('CORE', 0),
        ...(fileBytes === undefined ? [] : [limit('FSIZE', fileBytes)]),
      ],
    },
    root: { path: GUEST, readonly: true },
    hostname: spec.hostname,
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['ro', 'nosuid'] },
      ...spec.mounts.flatMap(mount =>
        mount.kind === 'tmpfs' && mount.target !== '/dev'
          ? [
              {
                destination: mount.target,
                type: 'tmpfs',
                source: 'tmpfs',
                options: ['nosuid', 'nodev', `size=${mount.bytesMax}`, `mode=${mount.mode.toString(8)}`],
              },
            ]
          : [],
      ),
      ...spec.mounts
        .filter(mount => mount.kind === 'bind' && isShown(mount) && isCovered(mount, spec.mounts))
        .map(({ target }) => ({
          destination: target,
          type: 'bind',
          source: GUEST + target,
          options: ['nosuid', 'nodev', 'ro'],
        })),
      // The one place where a socket that the code makes is one of the machine's, so that it can be connected to.
      ...(spec.folder === undefined
        ? []
        : [{ destination: spec.folder, type: 'bind', source: SOCKETS, options: ['nosuid', 'nodev', 'rw'] }]),
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }, { type: 'uts' }] },
  }
}

/**
 * The command with its channel where it looks for it. gVisor passes on three descriptors: the channel is the first of them, and
 * becomes the command's stdin where it has one.
 */
function overStdin({ command, stdin }: LaunchSpec): readonly string[] {
  const move = stdin === true ? '' : `exec ${CHANNEL_FD}<&0 </dev/null; `
  return ['/bin/sh', '-c', `${move}exec "$@"`, 'sh', ...command]
}
