import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, LIMITS_DEFAULT, type Limits, type NetworkMode } from '../../core/index.ts'
import type { Backend, Capabilities, Grant, RunResult, RunSpec, Sandbox, SandboxSpec } from '../backend.ts'
import { attachBundle, changeRlimits } from './attach.ts'
import type { Cell } from './cell.ts'
import { Cells } from './cells.ts'
import type { CgroupLimits } from './cgroup/cgroup.ts'
import { findCgroups } from './cgroup/detect.ts'
import { backendFailed } from './commands.ts'
import { prepareHostSystem } from './host.ts'
import type { Launcher } from './launcher.ts'
import { Leftovers } from './leftovers.ts'
import { OutboundNetwork } from './network.ts'
import { genericRlimits, type HostSystem, rlimitsFor, sandboxMounts } from './policy.ts'
import { closeInherited, mayRaiseLimits, openFilesHardLimit } from './procfs.ts'
import { runCommand } from './run.ts'
import { LocalSandbox } from './sandbox.ts'
import { seccompFilter } from './seccomp/filter.ts'
import { bubblewrapMaker, chooseTier, type Isolation, type Tier } from './tier.ts'
import { Uids, uidRange } from './uids.ts'

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

/**
 * Opens the backend that runs sandboxes on this machine. Tries a sandbox before it answers. Rejects with BACKEND_FAILED
 * when no sandbox works and none was not asked for.
 */
export async function openLocalBackend(options: LocalBackendOptions): Promise<Backend> {
  mkdirSync(options.runPath, { recursive: true, mode: 0o700 })
  chmodSync(options.runPath, 0o700)
  mkdirSync(options.bundlesPath, { recursive: true })
  const seed = createHash('sha256').update(options.runPath).digest()
  const isRoot = process.getuid?.() === 0
  const range = isRoot
    ? uidRange(seed.readUInt32BE(0), readFileSync('/proc/self/uid_map', 'utf8'))
    : undefined
  const cgroups = findCgroups(seed.toString('hex', 0, 6))
  const network = OutboundNetwork.find()
  const seccompPath = writeFilter(options.runPath, cgroups.tree === undefined)
  const cells = new Cells({
    clock: options.clock,
    cgroups: cgroups.tree,
    uids: range === undefined ? undefined : new Uids(range),
    network: 'reason' in network ? undefined : network,
    seccompPath,
    leftovers: new Leftovers(options.runPath),
  })
  const host = prepareHostSystem(options.runPath, range)
  closeInherited()
  const parts = { ...options, cells, host, openFilesHard: openFilesHardLimit(), mayRaise: mayRaiseLimits() }
  const tier = await chooseTier(options.isolation, launcher => trial(parts, launcher), [bubblewrapMaker])
  const notes = [
    ...tier.notes,
    ...(cgroups.tree === undefined
      ? [`Memory and processes are watched, not limited by the kernel: ${cgroups.reason}.`]
      : []),
    ...('reason' in network ? [`Functions have no network: ${network.reason}.`] : []),
    ...(seccompPath === undefined ? [`No system call filter: none is written for ${process.arch}.`] : []),
  ]
  const capabilities: Capabilities = {
    tier: 'process',
    notes: [
      `Each instance is a ${tier.launcher.name} sandbox: own namespaces, read-only system, ${isRoot ? 'own user, ' : ''}no capabilities.`,
      ...notes,
    ],
    memoryLimit: cgroups.tree === undefined ? 'soft' : 'hard',
    cpuLimit: cgroups.tree?.controllers.has('cpu') ? 'hard' : 'none',
    processLimit: 'hard',
    network: 'reason' in network ? ['none'] : ['none', 'outbound'],
    seccomp: seccompPath !== undefined,
  }
  return new LocalBackend(parts, tier, capabilities)
}

interface Parts extends LocalBackendOptions {
  readonly cells: Cells
  readonly host: HostSystem
  readonly openFilesHard: number
  readonly mayRaise: boolean
}

class LocalBackend implements Backend {
  readonly name = 'local'
  readonly #parts: Parts
  readonly #tier: Tier
  readonly #capabilities: Capabilities

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
        connected: grant?.network === 'outbound',
        channel: true,
      },
      this.#tier.launcher,
      signal,
    )
    if (cell.channel === undefined) throw backendFailed('it has no channel')
    return new LocalSandbox(cell, cell.channel, grant !== undefined, grant => this.#give(cell, grant))
  }

  run(spec: RunSpec, signal: AbortSignal): Promise<RunResult> {
    return runCommand(spec, { ...this.#parts, launcher: this.#tier.launcher }, signal)
  }

  sweep(): Promise<number> {
    return this.#parts.cells.sweep()
  }

  close(): Promise<void> {
    return this.#parts.cells.close()
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

const GENERIC_LIMITS: CgroupLimits = {
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

/** Starts one sandbox as every later one will be; rejects when it does not come up. */
async function trial(parts: Parts, launcher: Launcher): Promise<void> {
  const cell = await parts.cells.open(
    {
      id: 'trial',
      command: ['/bin/sh', '-c', 'true'],
      env: {},
      directory: '/tmp',
      mounts: sandboxMounts(parts.host, { kind: 'generic', bundlesPath: parts.bundlesPath }, [], 1),
      limits: GENERIC_LIMITS,
      rlimits: rlimitsFor(LIMITS_DEFAULT, parts.openFilesHard),
      connected: false,
      channel: false,
    },
    launcher,
    AbortSignal.timeout(10_000),
  )
  let said = ''
  cell.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096)
  })
  const { code } = await cell.exited
  if (code !== 0) throw backendFailed('a trial sandbox did not work', new Error(said.trim()))
}

function writeFilter(runPath: string, memoryIsWatched: boolean): string | undefined {
  if (process.arch !== 'x64' && process.arch !== 'arm64') return undefined
  const path = join(runPath, 'seccomp.bpf')
  writeFileSync(path, seccompFilter(process.arch, { memoryIsWatched }))
  return path
}
