import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS_DEFAULT } from '../../core/index.ts'
import type { Backend, Capabilities } from '../backend.ts'
import { GENERIC_LIMITS, LocalBackend, type LocalBackendOptions, type Parts } from './backend.ts'
import { Broker } from './broker.ts'
import { Cells } from './cells.ts'
import { type CgroupFinding, findCgroups } from './cgroup/detect.ts'
import { backendFailed } from './commands.ts'
import { GvisorTier } from './gvisor-tier.ts'
import { prepareHostSystem } from './host.ts'
import type { Launcher } from './launcher.ts'
import { Leftovers } from './leftovers.ts'
import { OutboundNetwork } from './network.ts'
import { rlimitsFor, sandboxMounts } from './policy.ts'
import { closeInherited, mayRaiseLimits, openFilesHardLimit } from './procfs.ts'
import { seccompFilter } from './seccomp/filter.ts'
import { chooseTier, launcherMakers, type Tier } from './tier.ts'
import { Uids, uidRange } from './uids.ts'
import { removeZygoteFolders } from './zygote.ts'

/**
 * Opens the backend that runs sandboxes on this machine. Tries a sandbox before it answers. Rejects with BACKEND_FAILED
 * when no sandbox works and none was not asked for.
 */
export async function openLocalBackend(options: LocalBackendOptions): Promise<Backend> {
  mkdirSync(options.runPath, { recursive: true, mode: 0o700 })
  chmodSync(options.runPath, 0o700)
  mkdirSync(options.bundlesPath, { recursive: true })
  removeZygoteFolders(options.runPath)
  const seed = createHash('sha256').update(options.runPath).digest()
  const isRoot = process.getuid?.() === 0
  const range = isRoot
    ? uidRange(seed.readUInt32BE(0), readFileSync('/proc/self/uid_map', 'utf8'))
    : undefined
  const cgroups = findCgroups(seed.toString('hex', 0, 6))
  const network = OutboundNetwork.find()
  const broker = Broker.find()
  const seccompPath = writeFilter(options.runPath, cgroups.tree === undefined)
  const cells = new Cells({
    clock: options.clock,
    cgroups: cgroups.tree,
    uids: range === undefined ? undefined : new Uids(range),
    network: 'reason' in network ? undefined : network,
    broker: 'reason' in broker ? undefined : broker,
    seccompPath,
    leftovers: new Leftovers(options.runPath),
  })
  const host = prepareHostSystem(options.runPath, range)
  closeInherited()
  const parts = { ...options, cells, host, openFilesHard: openFilesHardLimit(), mayRaise: mayRaiseLimits() }
  const tier = await chooseTier(
    options.isolation,
    launcher => trial(parts, launcher),
    launcherMakers(options.runPath),
  )
  const gvisor = new GvisorTier({
    ...options,
    unsandboxed: tier.launcher.name === 'none' ? 'this server runs with --isolation none' : undefined,
    works: launcher => trial(parts, launcher),
  })
  const usual = describe(tier, { cgroups, network, broker, seccompPath, isRoot })
  return new LocalBackend(parts, tier, gvisor, usual)
}

interface Findings {
  readonly cgroups: CgroupFinding
  readonly network: OutboundNetwork | { readonly reason: string }
  readonly broker: Broker | { readonly reason: string }
  readonly seccompPath: string | undefined
  readonly isRoot: boolean
}

/** What the chosen launcher and the machine together can promise, in words as well. */
function describe(tier: Tier, { cgroups, network, broker, seccompPath, isRoot }: Findings): Capabilities {
  const { name } = tier.launcher
  const sandboxed = name !== 'none'
  const seccomp = name === 'bubblewrap' && seccompPath !== undefined
  const hard = cgroups.tree !== undefined
  const user = isRoot ? 'a user of its own on the host' : 'no rights of the user that runs the server'
  return {
    tier: sandboxed ? 'process' : 'none',
    notes: [
      sandboxed
        ? `Each instance is a sandbox by ${name}: its own namespaces, a read-only system, no capabilities, ${user}.`
        : 'Functions are NOT isolated: they can read and change everything this server can, and reach the network.',
      ...tier.notes,
      ...(sandboxed && !seccomp ? [`No system call filter: ${whyNoFilter(seccompPath)}.`] : []),
      ...(cgroups.tree === undefined
        ? [
            `Memory is watched every 100 ms instead of limited by the kernel, CPU is not limited: ${cgroups.reason}.`,
          ]
        : []),
      ...(sandboxed && 'reason' in broker
        ? [
            `Functions that are servers of their own (contracts http, fission, …) cannot run: ${broker.reason}.`,
          ]
        : []),
      ...(sandboxed && 'reason' in network ? [`Functions have no network: ${network.reason}.`] : []),
    ],
    memoryLimit: hard ? 'hard' : 'soft',
    cpuLimit: cgroups.tree?.controllers.has('cpu') === true ? 'hard' : 'none',
    // In a sandbox the kernel counts processes of its user even without cgroups.
    processLimit: hard || sandboxed ? 'hard' : 'soft',
    network: sandboxed && 'reason' in network ? ['none'] : ['none', 'outbound'],
    seccomp,
    inside: {
      sockets: !sandboxed || !('reason' in broker),
      ...('reason' in broker && { reason: broker.reason }),
      ownPorts: sandboxed,
      stdin: true,
    },
  }
}

function whyNoFilter(seccompPath: string | undefined): string {
  return seccompPath === undefined
    ? `none is written for ${process.arch}`
    : 'only bubblewrap can put one on (apt install bubblewrap)'
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
