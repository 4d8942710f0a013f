import type { Server, Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import type { AtelierError, IsolationTier, Limits, NetworkMode } from '../core/index.ts'

/** An engine that provides instances. Pool and invoker know nothing else about it. */
export interface Backend {
  readonly name: string
  /** What it promises of sandboxes like `launch`, or of those of most functions. */
  capabilities(launch?: Launch): Capabilities
  /**
   * Resolves when sandboxes like `launch` work here, which is tried. Rejects with BACKEND_FAILED that says what is missing. A backend
   * without it has one kind of sandbox.
   */
  check?(launch: Pick<Launch, 'isolation'>): Promise<void>
  /**
   * Starts a sandbox for one environment, generic or (with `grant`) already for one version. Resolves when the process
   * runs and its channel is open, before the shim has said anything. Rejects with BACKEND_FAILED; an aborted
   * `signal` leaves nothing behind.
   */
  start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>
  /** Runs one command to its end in a sandbox with its own writable directory: what the builder uses. */
  run(spec: RunSpec, signal: AbortSignal): Promise<RunResult>
  /** Removes what an earlier process of this installation left behind: processes, cgroups, directories. Returns how many. */
  sweep(): Promise<number>
  /** Kills everything and removes it. */
  close(): Promise<void>
}

/** What a backend holds sandboxes with on this machine. */
export interface Capabilities {
  readonly tier: IsolationTier
  /** For people: how code is held, and why not better. One line each. */
  readonly notes: readonly string[]
  /** `hard`: the kernel enforces it; `soft`: a watchdog looks every so often; `none`. */
  readonly memoryLimit: 'hard' | 'soft' | 'none'
  readonly cpuLimit: 'hard' | 'none'
  readonly processLimit: 'hard' | 'soft' | 'none'
  readonly network: readonly NetworkMode[]
  /** A system call filter is in force. */
  readonly seccomp: boolean
  readonly inside: InsideCapabilities
}

/** The ways into a sandbox beside its channel. */
export interface InsideCapabilities {
  /** `connect` and `listen` work, and `beforeStart` is called. */
  readonly sockets: boolean
  /** Why not, for people; said when a function needs it. */
  readonly reason?: string
  /** Each sandbox has its ports and its files for itself: two of them may listen on the same port, and `process.links` works. */
  readonly ownPorts: boolean
  /** `process.stdin` and `process.held` of a `SandboxSpec` work. */
  readonly stdin: boolean
}

/** Where something listens inside a sandbox: a TCP port on its loopback address, or a Unix socket at an absolute path. */
export type Place = { readonly port: number } | { readonly path: string }

/** Sockets that are made inside and used outside: plain sockets of the kernel, without anybody in between. */
export interface Inside {
  /**
   * A stream to what listens at `to`, tried for `patienceMs` (default: once). Resolves with `undefined` when nobody has come to listen
   * there. Rejects with BACKEND_FAILED for anything else; then the sandbox is gone or going. Whose program answers is hostile.
   */
  connect(to: Place, patienceMs?: number): Promise<Socket | undefined>
  /** Listens at `at` for what runs inside. Whoever asked closes it, at the latest when the sandbox ends. */
  listen(at: Place): Promise<Server>
}

/** How an environment is started, given by its manifest. */
export interface Launch {
  /** Environment name, for pools and messages. */
  readonly environment: string
  /** Program and arguments, as paths inside the sandbox. */
  readonly command: readonly string[]
  /** Folder in which it starts. @default /tmp */
  readonly directory?: string
  readonly env: Readonly<Record<string, string>>
  /** Tier of its sandbox. @default what the backend gives without being asked */
  readonly isolation?: 'gvisor'
  /** Reference of the container image that it runs in, with its digest; then an empty `command` is the image's own. */
  readonly image?: string
  /** Host files or folders shown read-only inside: the shim, a runtime outside /usr. */
  readonly mounts: readonly { readonly source: string; readonly target: string }[]
  /**
   * The program lies in the bundle: a generic sandbox waits without it, and `attach` starts it as the process that waited, with the same
   * channel. @default false
   */
  readonly startsWithCode?: boolean
  /** A program that forks ready instances (Python): host path of the zygote script and its interpreter. */
  readonly zygote?: { readonly command: readonly string[] }
}

/** What a generic sandbox gets when it becomes one version. */
export interface Grant {
  /** Host folder of the runnable bundle; the code sees it read-only as /function, and no other bundle. */
  readonly bundlePath: string
  readonly limits: Limits
  readonly network: NetworkMode
}

/** A sandbox to start: generic without a grant, else for one version from the beginning. */
export interface SandboxSpec {
  readonly id: string
  readonly launch: Launch
  readonly grant?: Grant
  /** For contracts that do not use the channel. */
  readonly process?: ProcessSpec
}

/** What the command of a sandbox gets that is a tenant's own process rather than a shim of ours. */
export interface ProcessSpec {
  /** Its environment, over that of the launch. Hostile: nothing that has rights of its own may see it. */
  readonly env: Readonly<Record<string, string>>
  /** Whether it has an open stdin. @default false: stdin is empty */
  readonly stdin?: boolean
  /** The command waits until `begin`. */
  readonly held?: boolean
  /** Parts of /function that are to be found elsewhere too: `path` leads to `target`. Only where sandboxes have files of their own. */
  readonly links?: readonly { readonly path: string; readonly target: string }[]
  /** A folder that is made below /tmp inside, for it alone, before it runs. */
  readonly folder?: string
  /** Called when there is a network inside and before the command runs: to listen for what it connects to first of all. */
  readonly beforeStart?: (inside: Inside) => Promise<void>
}

/** One that runs. It is never given to a second version. */
export interface Sandbox extends Inside {
  readonly id: string
  /** Process id on this machine of the outermost process, when there is one. */
  readonly pid: number | undefined
  /** The stream for contracts that start with a shim. */
  readonly channel: Duplex
  /** Where `process.stdin` was asked for. */
  readonly stdin: Writable | undefined
  /** What the process itself prints, outside the contract. */
  readonly stdout: Readable
  readonly stderr: Readable
  /** Whether this sandbox, generic still, can be given these limits late; else one must be started with its grant. */
  fits(limits: Limits): boolean
  /** Gives a generic sandbox its code, limits and network; called at most once, before any code is loaded. */
  attach(grant: Grant): Promise<void>
  /** Memory now and at its peak, CPU used; zeros where nothing is known. Cheap enough for each call's end. */
  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number }
  /** Starts the peak afresh, where the engine can. */
  resetPeak(): void
  /** Lets a held command run, with these environment variables over those it has; once. */
  begin(env: Readonly<Record<string, string>>): void
  /** Asks the command to end (SIGTERM). One that does not listen goes on. */
  terminate(): void
  /** Kills every process in it and removes it. Resolves when it is gone; safe to call twice. */
  kill(): Promise<void>
  readonly exited: Promise<SandboxExit>
  /** Its first process is gone, though `exited` may still take a while to tell. Absent where it does not. */
  isEnding?(): boolean
}

/** How its outermost process ended. */
export interface SandboxExit {
  readonly code: number | undefined
  readonly signal: string | undefined
  /** `memory`: it was killed for its memory; `killed`: by us; `exit`: by itself. */
  readonly reason: 'memory' | 'killed' | 'exit'
  /** The last 4 KiB it wrote to stderr. */
  readonly tail: string
  /** Where the code is not to blame, or it is known better than by a code: what a call that was under way is answered with. */
  readonly error?: AtelierError
}

/** One command in a sandbox of its own, as builds need it. */
export interface RunSpec {
  readonly id: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Host folder that the command sees as /work and may write to. */
  readonly workPath: string
  /** More host folders, seen at `target`. */
  readonly mounts: readonly { readonly source: string; readonly target: string; readonly writable: boolean }[]
  readonly network: NetworkMode
  readonly limits: Limits
  /** Bytes that /work and the other folders that it may write to may grow to, together. */
  readonly diskBytesMax: number
  /** Each piece of output as it comes. */
  onOutput(stream: 'stdout' | 'stderr', chunk: Uint8Array): void
}

/** How the command ended. */
export interface RunResult {
  readonly code: number | undefined
  readonly signal: string | undefined
  /** `memory`, `disk`: it was killed for what it used; `timeout`, `cancelled`: by us; `exit`: by itself. */
  readonly reason: 'memory' | 'disk' | 'timeout' | 'cancelled' | 'exit'
}
