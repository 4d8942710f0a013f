import type { Limits, NetworkMode } from '../../core/index.ts'
import type { Launch } from '../backend.ts'
import type { BundleMount } from './bundle.ts'

/** Label with the installation that a container belongs to: what a sweep removes by. */
export const LABEL = 'atelier.installation'

const MIB = 1024 * 1024
const NANOS_PER_MILLICORE = 1_000_000
const SHM_BYTES_MAX = 16 * MIB
const NOBODY = '65534:65534'
/** Of one user on the whole machine; what holds one container is its own limit of processes. */
const USER_PROCESSES_MAX = 4_096
const FOLDER_OPTIONS = 'rw,nosuid,nodev,noexec,mode=1777,size=1m'
const FILES_ENOUGH_FOR_ANY_PROGRAM = 64
/** The runtime that is gVisor, and what it takes beside the code: as for functions of source code (backends/local). */
export const GVISOR = 'runsc'
const GVISOR_MEMORY_MIB = 96
const GVISOR_TASKS = 192
const GVISOR_TASKS_PER_PROCESS = 6

/** What a container is to be. */
export interface ContainerWish {
  readonly installation: string
  readonly instance: string
  readonly launch: Launch & { readonly image: string }
  readonly env: Readonly<Record<string, string>>
  readonly limits: Limits
  readonly network: NetworkMode
  readonly stdin: boolean
  /** The user that the image names; empty when it names none. */
  readonly imageUser: string
  /** OCI runtime; `undefined`: the engine's own. */
  readonly runtime: string | undefined
  /** Address at which names are looked up where there is a way out. */
  readonly nameServer: string
  /** The most open files that this server may give to anybody. */
  readonly openFilesHard: number
  /** A small folder of its own, that is there before it runs. */
  readonly folder: string | undefined
  /** The code that came with the image. Paths that the platform has checked, never a tenant's words. */
  readonly mounts: readonly BundleMount[]
  /** Id of the container whose network it has. @default one of its own */
  readonly networkOf?: string
}

/** The whole policy for one container, as the engine's API takes it: what is not given here, a container does not have. */
export function containerBody(wish: ContainerWish): Record<string, unknown> {
  const { launch, limits } = wish
  const openFiles = Math.min(Math.max(limits.openFilesMax, FILES_ENOUGH_FOR_ANY_PROGRAM), wish.openFilesHard)
  const { memoryMiB, processesMax } = boundsOf(wish)
  const memory = memoryMiB * MIB
  return {
    Image: launch.image,
    // With nothing said, the image's own program runs.
    ...(launch.command.length > 0 && {
      Entrypoint: launch.command.slice(0, 1),
      Cmd: launch.command.slice(1),
    }),
    Env: Object.entries({ HOME: '/tmp', TMPDIR: '/tmp', ...launch.env, ...wish.env }).map(
      ([name, value]) => `${name.replaceAll('=', '_')}=${value.replaceAll('\0', '')}`,
    ),
    ...(launch.directory !== undefined && { WorkingDir: launch.directory }),
    User: isRoot(wish.imageUser) ? NOBODY : wish.imageUser,
    Labels: { [LABEL]: wish.installation, 'atelier.instance': wish.instance },
    ...(wish.networkOf === undefined && { Hostname: 'function' }),
    Tty: false,
    OpenStdin: wish.stdin,
    StdinOnce: wish.stdin,
    AttachStdin: wish.stdin,
    AttachStdout: true,
    AttachStderr: true,
    // Its health is the platform's to watch, and costs a process each time.
    Healthcheck: { Test: ['NONE'] },
    Volumes: {},
    HostConfig: {
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: [],
      SecurityOpt: ['no-new-privileges'],
      Privileged: false,
      Memory: memory,
      MemorySwap: memory,
      ...(limits.cpuMillicores !== undefined && { NanoCpus: limits.cpuMillicores * NANOS_PER_MILLICORE }),
      PidsLimit: processesMax,
      ShmSize: SHM_BYTES_MAX,
      Tmpfs: {
        '/tmp': `rw,nosuid,nodev,mode=1777,size=${Math.max(1, limits.tmpMiB)}m`,
        ...(wish.folder !== undefined && { [wish.folder]: FOLDER_OPTIONS }),
      },
      Mounts: wish.mounts.map(({ source, target }) => ({
        Type: 'bind',
        Source: source,
        Target: target,
        ReadOnly: true,
        BindOptions: { Propagation: 'rprivate' },
      })),
      Ulimits: [
        { Name: 'nofile', Soft: openFiles, Hard: openFiles },
        { Name: 'nproc', Soft: USER_PROCESSES_MAX, Hard: USER_PROCESSES_MAX },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      // The engine never connects it to anything: the way out, where there is one, is put into its namespace.
      ...(wish.networkOf === undefined
        ? {
            NetworkMode: 'none',
            ...(wish.network === 'outbound' && { Dns: [wish.nameServer] }),
            // Without capabilities port 80 would be closed to it, in a network where nobody else is.
            Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
          }
        : { NetworkMode: `container:${wish.networkOf}` }),
      IpcMode: 'private',
      Binds: [],
      AutoRemove: false,
      RestartPolicy: { Name: 'no' },
      LogConfig: { Type: 'none' },
      ...(wish.runtime !== undefined && { Runtime: wish.runtime }),
    },
  }
}

/** What the container may use as a whole: what gVisor takes for itself and its threads comes to what the code may. */
export function boundsOf({ limits, runtime }: Pick<ContainerWish, 'limits' | 'runtime'>): Limits {
  if (runtime !== GVISOR) return limits
  return {
    ...limits,
    memoryMiB: limits.memoryMiB + GVISOR_MEMORY_MIB,
    processesMax: limits.processesMax * GVISOR_TASKS_PER_PROCESS + GVISOR_TASKS,
  }
}

/** Whether an image's `User` is root, or nobody in particular, which means root. */
export function isRoot(user: string): boolean {
  const [name] = user.split(':')
  return name === undefined || name === '' || name === 'root' || Number(name) === 0
}

/** Whether an image's `User` is a name, which means what the image's own list of users says. */
export function isNamed(user: string): boolean {
  return !isRoot(user) && !/^\d+(?::|$)/.test(user)
}
