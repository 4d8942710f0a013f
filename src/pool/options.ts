import { availableParallelism } from 'node:os'
import type { Backend, Launch } from '../backends/index.ts'
import type { Contract } from '../contracts/index.ts'
import {
  type Clock,
  type FunctionTable,
  LIMITS_DEFAULT,
  type LogLine,
  PENDING_MAX_DEFAULT,
} from '../core/index.ts'
import { KEEP_ALIVE_DEFAULT, type KeepAlivePolicy } from './decisions/keep-alive.ts'
import type { BundleSource, SecretSource } from './pool.ts'

export interface PoolOptions {
  readonly backend: Backend
  /** The contract of this name; throws when there is none. */
  readonly contracts: (name: string) => Contract
  /** Environments that can run on this machine, by name. */
  readonly environments: ReadonlyMap<string, PoolEnvironment>
  readonly bundles: BundleSource
  readonly secrets: SecretSource
  /** Versions without an alias are retired, deleted functions dropped, `instancesMin` kept. */
  readonly table: FunctionTable
  readonly clock: Clock
  /** Output of the functions. Must only append to memory and return. */
  readonly onLog: (line: LogLine) => void
  /** Something of ours failed (a sandbox did not start or go away); for the server's own log. */
  readonly onTrouble: (message: string, cause: unknown) => void
  readonly limits: PoolLimits
  readonly policy?: Partial<PoolPolicy>
}

/** How instances of a language are started. */
export interface PoolEnvironment {
  readonly launch: Launch
  /** Name of the contract its shim speaks. */
  readonly contract: string
  /** Generic instances are kept only once an alias points to a version of this environment. @default false */
  readonly warmsWhenUsed?: boolean
  /** How a process is started that speaks another contract; see `Environment.commandFor`. */
  readonly commandFor?: (
    contract: string,
    entry: string,
  ) =>
    | {
        readonly command: readonly string[]
        readonly env?: Readonly<Record<string, string>>
        readonly image?: string
      }
    | undefined
  /** Generic instances kept ready. @default `warmPerEnvironment` of the policy */
  readonly warm?: number
}

/** What the machine may give to instances. */
export interface PoolLimits {
  /** Instances at once, generic ones included. */
  readonly instancesMax: number
  /** Sum of the memory limits of all instances. */
  readonly memoryMiBMax: number
}

/** How instances are kept and started. */
export interface PoolPolicy {
  /** Generic instances kept ready for each environment. @default 2 */
  readonly warmPerEnvironment: number
  /** What a generic instance counts as while it has no limit of its own. @default 48 */
  readonly genericMemoryMiB: number
  /** Calm time after which used generic instances are replaced: a burst's calls come first. @default 100 ms */
  readonly refillDelayMs: number
  /** Starts and specialisations under way at once; more only make each of them slower. @default 2 per core, at least 4 */
  readonly startsMax: number
  /** From the start of a process to its shim's hello. @default 15 seconds */
  readonly startMsMax: number
  /** Time to load the code; past it, the version counts as one that does not load. @default 30 seconds */
  readonly loadMsMax: number
  /** Calls of one version that may wait for a slot. @default 1,000 */
  readonly pendingMax: number
  readonly keepAlive: KeepAlivePolicy
  /** How often unused instances are looked at. @default 1 second */
  readonly sweepMs: number
  /** How long a version without an alias still keeps its instances. @default 10 seconds */
  readonly retireAfterMs: number
  /** An instance told to go may end by itself for so long. @default 500 ms */
  readonly exitGraceMs: number
  /** A closed stream comes a little before the exit that explains it; so long is waited for it. @default 500 ms */
  readonly exitReasonMs: number
  /** How long a suspicious instance may take to answer a ping. @default 2 seconds */
  readonly pingMs: number
  /** Share of a core that an idle instance may use before it is asked whether it lives. @default 0.8 */
  readonly idleCpuShare: number
  /** Least time between two looks at the memory of one instance. @default 100 ms */
  readonly memorySampleMs: number
}

export function poolPolicy(given: Partial<PoolPolicy> = {}): PoolPolicy {
  return {
    warmPerEnvironment: 2,
    genericMemoryMiB: Math.min(48, LIMITS_DEFAULT.memoryMiB),
    refillDelayMs: 100,
    startsMax: Math.max(4, 2 * availableParallelism()),
    startMsMax: 15_000,
    loadMsMax: 30_000,
    pendingMax: PENDING_MAX_DEFAULT,
    keepAlive: KEEP_ALIVE_DEFAULT,
    sweepMs: 1_000,
    retireAfterMs: 10_000,
    exitGraceMs: 500,
    exitReasonMs: 500,
    pingMs: 2_000,
    idleCpuShare: 0.8,
    memorySampleMs: 100,
    ...given,
  }
}

/** How many generic instances each environment keeps: none where code cannot be given later. */
export function warmSizes(options: PoolOptions, policy: PoolPolicy): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  for (const [name, { contract, warm }] of options.environments)
    if (options.contracts(contract).capabilities.lateLoad) sizes.set(name, warm ?? policy.warmPerEnvironment)
  return sizes
}

/** Environments whose generic instances wait for the first function that wants them. */
export function sleepers(options: PoolOptions): ReadonlySet<string> {
  return new Set(
    [...options.environments].flatMap(([name, { warmsWhenUsed }]) => (warmsWhenUsed ? [name] : [])),
  )
}
