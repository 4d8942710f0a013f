import { existsSync } from 'node:fs'
import type { Duplex } from 'node:stream'
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
import { Attendant, changeRlimits, USUAL_PLACES } from './attach.ts'
import type { Cell } from './cell.ts'
import type { Cells } from './cells.ts'
import type { CgroupLimits } from './cgroup/cgroup.ts'
import { backendFailed } from './commands.ts'
import { GVISOR_PLACES } from './gvisor.ts'
import { type GvisorTier, withGvisor } from './gvisor-tier.ts'
import type { Launcher } from './launcher.ts'
import { waitingForEnvironment } from './own-process.ts'
import { genericRlimits, type HostSystem, rlimitsFor, sandboxMounts } from './policy.ts'
import { runCommand } from './run.ts'
import { LocalSandbox } from './sandbox.ts'
import type { Isolation, Tier } from './tier.ts'
import { letGo, untilWaiting, waitingForCode } from './waiting.ts'
import { ZygoteLauncher } from './zygote.ts'

const MIB = 1024 * 1024
/** What a shim may use before it has code: enough for any runtime to start. */
const GENERIC_MEMORY_MIB = 256
const REAPER_TASKS = 1 // the sandbox's own first process

/** What `openLocalBackend` stands on. */
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
  readonly #gvisor: GvisorTier
  readonly #capabilities: Capabilities
  readonly #zygotes = new Map<string, ZygoteLauncher>()

  constructor(parts: Parts, tier: Tier, gvisor: GvisorTier, capabilities: Capabilities) {
    this.#parts = parts
    this.#tier = tier
    this.#gvisor = gvisor
    this.#capabilities = capabilities
  }

  capabilities(launch?: Launch): Capabilities {
    const usual = this.#capabilities
    if (launch?.isolation === 'gvisor') return this.#gvisor.capabilities(usual)
    return { ...usual, notes: [...usual.notes, this.#gvisor.note()] }
  }

  async check({ isolation }: Pick<Launch, 'isolation'>): Promise<void> {
    if (isolation === 'gvisor') await this.#gvisor.launcher()
  }

  async start(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const { grant, launch, process: own } = spec
    const { host, bundlesPath, openFilesHard, cells } = this.#parts
    if (grant !== undefined) this.#check(grant)
    const limits = grant?.limits ?? LIMITS_DEFAULT
    const inGvisor = launch.isolation === 'gvisor'
    const launcher = inGvisor ? await this.#gvisor.launcher() : this.#launcherFor(spec)
    const cell = await cells.open(
      {
        id: spec.id,
        command: commandOf(spec),
        env: launch.env,
        directory: launch.directory ?? '/tmp',
        mounts: sandboxMounts(
          host,
          grant === undefined
            ? { kind: 'generic', bundlesPath }
            : { kind: 'function', bundlePath: grant.bundlePath },
          launch.mounts,
          limits.tmpMiB,
          own?.links,
        ),
        limits: cgroupLimits(grant?.limits, inGvisor),
        rlimits: grant === undefined ? genericRlimits(openFilesHard) : rlimitsFor(limits, openFilesHard),
        connected: false,
        channel: true,
        stdin: own?.stdin === true,
        ...((inGvisor || !this.#sandboxed) && own?.folder !== undefined && { folder: own.folder }),
        ...(own?.beforeStart && { onHeld: own.beforeStart }),
      },
      launcher,
      signal,
    )
    if (cell.channel === undefined) throw backendFailed('it has no channel')
    const { channel } = cell
    if (grant === undefined && launch.startsWithCode !== true) return this.#prepare(cell, channel, inGvisor)
    try {
      if (grant === undefined) {
        await untilWaiting(cell, channel, signal)
        return this.#prepare(cell, channel, inGvisor, () => letGo(channel))
      }
      // While its runtime boots: no code of the tenant is there before the channel is used.
      if (grant.network === 'outbound' && this.#sandboxed) {
        await cell.complete()
        await cell.connect()
      }
      if (signal.aborted) throw backendFailed('the start was given up', signal.reason)
    } catch (error) {
      await cell.kill()
      throw error
    }
    const sandbox = new LocalSandbox(cell, channel, undefined, own && { ...own, isFolderMade: inGvisor })
    if (own !== undefined && own.held !== true) sandbox.begin({})
    return sandbox
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
  #launcherFor({ launch: { environment, zygote }, process }: SandboxSpec): Launcher {
    if (zygote === undefined || process !== undefined || !this.#sandboxed) return this.#tier.launcher
    let launcher = this.#zygotes.get(environment)
    if (launcher === undefined) {
      launcher = new ZygoteLauncher(zygote.command, this.#parts.runPath)
      this.#zygotes.set(environment, launcher)
    }
    return launcher
  }

  /** Does for a generic sandbox, while nobody waits, all that its first call would else wait for. */
  #prepare(cell: Cell, channel: Duplex, inGvisor: boolean, onGiven = () => {}): Sandbox {
    if (!this.#sandboxed)
      return new LocalSandbox(cell, channel, {
        // Nobody changes the limits of a process that runs already.
        fits: limits => this.#hasLimits(limits),
        give: async grant => {
          this.#giveToPlain(cell, grant)
          onGiven()
        },
      })
    const attendant = cell.complete().then(() => {
      // Most versions want it; from those that do not it is taken away. What fails now is tried again when it is needed.
      if (this.#capabilities.network.includes('outbound')) cell.connect().catch(() => {})
      return new Attendant(cell.pid, cell.identity, inGvisor ? GVISOR_PLACES : USUAL_PLACES)
    })
    attendant.catch(() => {}) // it has ended; who gives it a grant hears of it
    void cell.exited.then(async () => (await attendant).dismiss()).catch(() => {})
    return new LocalSandbox(cell, channel, {
      fits: limits =>
        inGvisor
          ? this.#hasLimits(limits) && limits.tmpMiB === LIMITS_DEFAULT.tmpMiB
          : this.#raises(limits).length === 0 || this.#parts.mayRaise,
      give: async grant => {
        await this.#give(cell, await attendant, grant, inGvisor)
        onGiven()
      },
    })
  }

  #giveToPlain(cell: Cell, grant: Grant): void {
    this.#check(grant)
    this.#tier.launcher.attach?.(cell.id, grant.bundlePath)
    this.#setLimits(cell, grant.limits, false)
  }

  async #give(cell: Cell, attendant: Attendant, grant: Grant, inGvisor: boolean): Promise<void> {
    this.#check(grant)
    const { bundlesPath, openFilesHard, mayRaise } = this.#parts
    const { limits } = grant
    const raised = this.#raises(limits)
    if (inGvisor && (!this.#hasLimits(limits) || limits.tmpMiB !== LIMITS_DEFAULT.tmpMiB))
      throw backendFailed('limits inside gVisor cannot be changed once it runs')
    if (raised.length > 0 && !mayRaise)
      throw backendFailed(`its limits are more than this server may grant late: ${raised.join(', ')}`)
    const given = Promise.all([
      attendant.show({
        bundlesPath,
        bundlePath: grant.bundlePath,
        tmpBytes: limits.tmpMiB === LIMITS_DEFAULT.tmpMiB ? undefined : limits.tmpMiB * MIB,
      }),
      grant.network === 'outbound' ? cell.connect() : cell.disconnect(),
      this.#hasLimits(limits)
        ? undefined
        : changeRlimits(cell.pid, cell.identity, rlimitsFor(limits, openFilesHard), mayRaise),
    ])
    given.catch(() => {}) // told below, unless there is worse
    this.#setLimits(cell, limits, inGvisor)
    await given
  }

  #setLimits(cell: Cell, limits: Limits, inGvisor: boolean): void {
    try {
      cell.setLimits(cgroupLimits(limits, inGvisor))
    } catch (error) {
      throw backendFailed(`${limits.memoryMiB} MiB are less than its runtime holds already`, error)
    }
  }

  /** Whether a generic sandbox has these limits of each process already. */
  #hasLimits(limits: Limits): boolean {
    const { openFilesHard } = this.#parts
    const wanted = rlimitsFor(limits, openFilesHard)
    const now = genericRlimits(openFilesHard)
    return wanted.openFiles === now.openFiles && wanted.processes === now.processes
  }

  /** Which limits of `limits` a generic sandbox has less of. */
  #raises(limits: Limits): string[] {
    const { openFilesHard } = this.#parts
    const wanted = rlimitsFor(limits, openFilesHard)
    const now = genericRlimits(openFilesHard)
    return (['openFiles', 'processes'] as const).filter(name => wanted[name] > now[name])
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

/** What runs in it: at once, or when a wait is over. */
function commandOf({ grant, launch, process: own }: SandboxSpec): readonly string[] {
  const { command, isolation, startsWithCode } = launch
  if (own !== undefined) return waitingForEnvironment(command, isolation === 'gvisor' && own.stdin === true)
  return grant === undefined && startsWithCode === true ? waitingForCode(command) : command
}

/** `undefined`: those of a generic sandbox. */
function cgroupLimits(limits: Limits | undefined, inGvisor: boolean): CgroupLimits {
  const own: CgroupLimits =
    limits === undefined
      ? GENERIC_LIMITS
      : {
          memoryBytes: limits.memoryMiB * MIB,
          cpuMillicores: limits.cpuMillicores,
          tasks: limits.processesMax + REAPER_TASKS,
        }
  return inGvisor ? withGvisor(own) : own
}
