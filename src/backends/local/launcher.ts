import type { Duplex, Readable, Writable } from 'node:stream'
import type { Inside } from '../backend.ts'

/**
 * Starts one sandboxed process tree. What the sandbox may be is plain data (`LaunchSpec`), so that every launcher
 * (bubblewrap, unshare, none, a zygote, gVisor) renders the same policy.
 */
export interface Launcher {
  readonly name: 'bubblewrap' | 'unshare' | 'none' | 'zygote' | 'gvisor'
  /** How its program begins to say on stderr, with exit code 1, that it could not make the sandbox that it was let go to make. */
  readonly complaint?: string
  /**
   * Resolves when the command is about to run, or runs. Rejects with BACKEND_FAILED, and with nothing left behind, when
   * the sandbox cannot be made, `beforeStart` rejects, or `signal` aborts.
   */
  launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched>
  /** Where there is no file system of its own to mount into: shows the bundle to process `id` in another way. */
  attach?(id: string, bundlePath: string): void
}

export interface LaunchSpec {
  readonly id: string
  /** Program and arguments as seen inside. */
  readonly command: readonly string[]
  /** The whole environment inside; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
  readonly hostname: string
  /** The whole file system inside, in the order in which it is put together. */
  readonly mounts: readonly Mount[]
  readonly identity: Identity
  readonly rlimits: Rlimits
  /** Host path of a classic BPF program (struct sock_filter[]), or none. */
  readonly seccompPath: string | undefined
  /** Whether the command gets a connected socket as its descriptor 3. */
  readonly channel: boolean
  /** Whether its stdin is open. */
  readonly stdin?: boolean
  /**
   * A folder below /tmp for the sockets that the command listens at: made here where nothing else can show them, and found by this very
   * name on the host where there is no sandbox.
   */
  readonly folder?: string
  /**
   * Called with the host's number of the first process inside, while that process is held: it has its namespaces but has run
   * nothing of the command. The place for cgroups and the network, free of races. `inside`: as in `Launched`.
   */
  beforeStart(pid: number, inside?: Inside): Promise<void> | void
}

/** One step of putting the file system together. All are nosuid and nodev, save `device`. */
export type Mount =
  | { readonly kind: 'bind'; readonly source: string; readonly target: string; readonly writable: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly bytesMax: number; readonly mode: number }
  | { readonly kind: 'device'; readonly target: string }
  | { readonly kind: 'proc'; readonly target: string }
  | { readonly kind: 'symlink'; readonly source: string; readonly target: string }
  /** Makes a mount read-only that the steps before have filled. */
  | { readonly kind: 'seal'; readonly target: string }

/**
 * Who the process is on the host.
 * - `own`: we are root; the process becomes host user and group `uid`, which nothing else on the machine is.
 * - `mapped`: we are not; the process stays our user on the host, in a user namespace where it is called 0 and may nothing.
 */
export type Identity = { readonly kind: 'own'; readonly uid: number } | { readonly kind: 'mapped' }

/** Resource limits of each process, soft and hard alike. */
export interface Rlimits {
  readonly openFiles: number
  /** Processes and threads of the same user (in the sandbox, where there is a user namespace). */
  readonly processes: number
  /** Largest file in bytes, when there is a limit beside the size of the disk. */
  readonly fileBytes: number | undefined
}

export interface Launched {
  /** The first process inside, by the host's number. Killing it ends everything inside where there is a pid namespace. */
  readonly pid: number
  /** The child of ours that waits for it. */
  readonly monitorPid: number
  /** When that process started: with its number it names it for good. */
  readonly since?: string | undefined
  readonly channel: Duplex | undefined
  readonly stdin?: Writable | null
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the file system inside is complete, which may be a moment after the release. Rejects when it never is. */
  complete(): Promise<void>
  /** Settles when the monitor has ended; never rejects. */
  readonly exited: Promise<{ readonly code: number | undefined; readonly signal: string | undefined }>
  /** Where there is no namespace to enter: the ways to the process itself. */
  readonly inside?: Inside
  /** Number of the command's own process, once it runs. */
  commandPid?(): number | undefined
  /**
   * Where the paths inside are none of the machine's: under which one the namespaces have what is at `path`; `undefined`: under none.
   */
  pathOutside?(path: string): string | undefined
  /** Asks the command to end, where that takes more than a signal to its process. */
  terminate?(): void
  /** Sends SIGKILL to the first process and the monitor, at once. */
  kill(): void
}
