import { existsSync } from 'node:fs'
import { type Clock, LIMITS_DEFAULT, type Limits, type NetworkMode } from '../../core/index.ts'
import type {
  Backend,
  Capabilities,
  Grant,
  Launch,
  RunResult,
  RunSpec,
  Sandbox,
  SandboxSpec,
} from '../backend.ts'
import { attachBundle, changeRlimits } from './attach.ts'
import type { Cell } from './cell.ts'
import type { Cells } from './cells.ts'
import type { CgroupLimits } from './cgroup/cgroup.ts'
import { backendFailed } from './commands.ts'
import type { Launcher } from './launcher.ts'
import { genericRlimits, type HostSystem, rlimitsFor, sandboxMounts } from './policy.ts'
import { runCommand } from './run.ts'
import { LocalSandbox } from './sandbox.ts'
import type { Isolation, Tier } from './tier.ts'
import { ZygoteLauncher } from './zygote.ts'

const MIB = 1024 * 1024
/** What a shim may use before it has code: enough for any runtime to start. */
const GENERIC_MEMORY_MIB = 256
const REAPER_TASKS = 1 // the sandbox's own first process

export interface LocalBackendOptions {
  /** Private folder of this installation; the backend owns what is in it. */
  readonly runPath: string
  /** Folder with every runnable bundle, each in a folder named by its digest. */
  readonly bundlesPath: string
  /** `auto`: the best that works here, but never `none`. */
  readonly isolation: Isolation
  readonly clock: Clock
}

/** What the backend is made of; see `open.ts`. */
export interface Parts extends LocalBackendOptions {
  readonly cells: Cells
  readonly host: HostSystem
  readonly openFilesHard: number
  readonly mayRaise: boolean
}

/** Sandboxes on this machine. */
export class LocalBackend implements Backend {
  readonly name = 'local'
  readonly #parts: Parts
  readonly #tier: Tier
  readonly #capabilities: Capabilities
  readonly #zygotes = new Map<string, ZygoteLauncher>()

  constructor(parts: Parts, tier: Tier, capabilities: Capabilities) {
    this.#parts = parts
    this.#tier = tier
    this.#capabilities = capabilities
  }

  capabilities(): Capabilities {
    return this.#capabilities
  }

  async start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const { grant, launch } = spec
    const { host, bundlesPath, openFilesHard, mayRaise, cells } = this.#parts
    if (grant !== undefined) this.#check(grant)
    const limits = grant?.limits ?? LIMITS_DEFAULT
    const cell = await cells.open(
      {
        id: spec.id,
        command: launch.command,
        env: launch.env,
        directory: '/tmp',
        mounts: sandboxMounts(
          host,
          grant === undefined
            ? { kind: 'generic', bundlesPath }
            : { kind: 'function', bundlePath: grant.bundlePath },
          launch.mounts,
          limits.tmpMiB,
        ),
        limits: grant === undefined ? GENERIC_LIMITS : cgroupLimits(grant.limits),
        rlimits:
          grant === undefined ? genericRlimits(openFilesHard, mayRaise) : rlimitsFor(limits, openFilesHard),
        connected: grant?.network === 'outbound' && this.#sandboxed,
        channel: true,
      },
      this.#launcherFor(launch),
      signal,
    )
    if (cell.channel === undefined) throw backendFailed('it has no channel')
    return new LocalSandbox(cell, cell.channel, grant !== undefined, grant => this.#give(cell, grant))
  }

  async run(spec: RunSpec, signal: AbortSignal): Promise<RunResult> {
    this.#checkNetwork(spec.network)
    return runCommand(
      spec,
      { ...this.#parts, launcher: this.#tier.launcher, sandboxed: this.#sandboxed },
      signal,
    )
  }

  sweep(): Promise<number> {
    return this.#parts.cells.sweep()
  }

  async close(): Promise<void> {
    await this.#parts.cells.close()
    for (const zygote of this.#zygotes.values()) zygote.close()
  }

  get #sandboxed(): boolean {
    return this.#tier.launcher.name !== 'none'
  }

  /** Its zygote, where it has one; a zygote puts the same sandbox around its children. */
  #launcherFor({ environment, zygote }: Launch): Launcher {
    if (zygote === undefined || !this.#sandboxed) return this.#tier.launcher
    let launcher = this.#zygotes.get(environment)
    if (launcher === undefined) {
      launcher = new ZygoteLauncher(zygote.command)
      this.#zygotes.set(environment, launcher)
    }
    return launcher
  }

  async #give(cell: Cell, grant: Grant): Promise<void> {
    this.#check(grant)
    await cell.complete()
    const { bundlesPath, openFilesHard, mayRaise } = this.#parts
    const { limits } = grant
    const rlimits = rlimitsFor(limits, openFilesHard)
    const now = genericRlimits(openFilesHard, mayRaise)
    const higher = rlimits.openFiles > now.openFiles || rlimits.processes > now.processes
    if (higher && !mayRaise)
      throw backendFailed('its limits of processes or open files are more than this server may grant late')
    if (!this.#sandboxed) {
      this.#tier.launcher.attach?.(cell.id, grant.bundlePath)
      return this.#setLimits(cell, limits)
    }
    const same = rlimits.openFiles === now.openFiles && rlimits.processes === now.processes
    await Promise.all([
      attachBundle(cell.pid, cell.identity, {
        bundlesPath,
        bundlePath: grant.bundlePath,
        tmpBytes: limits.tmpMiB === LIMITS_DEFAULT.tmpMiB ? undefined : limits.tmpMiB * MIB,
      }),
      grant.network === 'outbound' ? cell.connect() : undefined,
      same ? undefined : changeRlimits(cell.pid, cell.identity, rlimits, mayRaise),
    ])
    this.#setLimits(cell, limits)
  }

  #setLimits(cell: Cell, limits: Limits): void {
    try {
      cell.setLimits(cgroupLimits(limits))
    } catch (error) {
      throw backendFailed(`${limits.memoryMiB} MiB are less than its runtime holds already`, error)
    }
  }

  #check(grant: Grant): void {
    if (!existsSync(grant.bundlePath)) throw backendFailed('its bundle is not on this machine')
    this.#checkNetwork(grant.network)
  }

  #checkNetwork(network: NetworkMode): void {
    if (!this.#capabilities.network.includes(network))
      throw backendFailed(`this machine cannot give the network "${network}" (see its notes)`)
  }
}

export const GENERIC_LIMITS: CgroupLimits = {
  memoryBytes: GENERIC_MEMORY_MIB * MIB,
  cpuMillicores: undefined,
  tasks: LIMITS_DEFAULT.processesMax + REAPER_TASKS,
}

function cgroupLimits(limits: Limits): CgroupLimits {
  return {
    memoryBytes: limits.memoryMiB * MIB,
    cpuMillicores: limits.cpuMillicores,
    tasks: limits.processesMax + REAPER_TASKS,
  }
}
