import type { AsyncSettings } from './async.ts'

/**
 * The nouns of Atelier, as plain read-only data. Ids are opaque strings; times are milliseconds since the epoch.
 * Names are what people type; see `names.ts` for their rule.
 */

/** `service` belongs to other services' own users: it lets them ask what a token is worth, and nothing else. */
export type Role = 'admin' | 'member' | 'reader' | 'service'

/** Who is calling, for which project. `admin` here is the operator of the whole platform. */
export interface Principal {
  readonly userId: string
  readonly userName: string
  readonly projectId: string
  readonly projectName: string
  readonly roles: readonly Role[]
  /** Epoch ms after which this proof of identity is worth nothing. */
  readonly expiresAt: number
  /** Set when the token is less than its user: it was made of a trust or an application credential. */
  readonly delegation?: Delegation
}

/** What a principal acts by when not by its own password. Such a one stays in its project, and not even its own password is its to set. */
export interface Delegation {
  readonly kind: 'trust' | 'application-credential'
  readonly id: string
}

/** The tenant: it owns all, and is what quotas and bills are for. */
export interface Project {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly enabled: boolean
  readonly quota: Quota
  /** The weakest tier that its functions may run in, whatever they ask for. Absent: each function’s own choice. */
  readonly isolationMin?: ChosenTier
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** Limits of a project; what is absent is as in `QUOTA_DEFAULT`, and where that says nothing, the machine's. */
export interface Quota {
  readonly functions?: number
  /** Of all functions together. */
  readonly versions?: number
  /** Reserved by instances that are kept without a call; of one instance, at least. */
  readonly memoryMiB?: number
  /** Calls at once. */
  readonly concurrency?: number
  /** Calls that begin within a minute, on each node. */
  readonly callsPerMinute?: number
  /** Of packages and bundles. */
  readonly storageBytes?: number
  /** Of all kinds. */
  readonly triggers?: number
  /** Asynchronous calls that wait. */
  readonly queuedCalls?: number
  /** Heads and bodies of asynchronous calls that have not ended. */
  readonly queuedBytes?: number
}

/** A named group of functions in a project, with configuration that they share. */
export interface App {
  readonly id: string
  readonly projectId: string
  readonly name: string
  readonly description: string
  /** Environment variables that every function of the app sees. */
  readonly config: Readonly<Record<string, string>>
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** A function as its project keeps it; what decides how it runs is in its versions. */
export interface FunctionRecord {
  readonly id: string
  readonly projectId: string
  readonly appId: string
  readonly appName: string
  readonly name: string
  readonly description: string
  readonly access: Access
  /** How its asynchronous calls are treated: what it says, over the defaults. */
  readonly async: AsyncSettings
  /** How many versions were ever published; the newest has this number. */
  readonly latestVersion: number
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** `public`: anybody may invoke. `private`: a token of the project with a role that may invoke. */
export type Access = 'public' | 'private'

/** What code reaches: nothing, or the outside without this machine and what else is denied. */
export type NetworkMode = 'none' | 'outbound'
/**
 * How strongly code is kept apart from the machine, weakest first. A function chooses `process` or `gvisor`; the others are what a
 * machine without sandboxes, or an image, gets.
 */
export const ISOLATION_TIERS = ['none', 'process', 'gvisor'] as const
export type IsolationTier = (typeof ISOLATION_TIERS)[number]
/** What can be asked for. */
export type ChosenTier = Exclude<IsolationTier, 'none'>

/** The stronger of two tiers; what is absent asks for nothing. */
export function strongerTier(one: ChosenTier | undefined, other: ChosenTier | undefined): ChosenTier {
  return one === 'gvisor' || other === 'gvisor' ? 'gvisor' : 'process'
}

/** What one instance of a function may use. */
export interface Limits {
  readonly memoryMiB: number
  readonly cpuMillicores: number
  readonly timeoutMs: number
  /** Calls that one instance may hold at once. */
  readonly concurrency: number
  /** Size of the private /tmp. */
  readonly tmpMiB: number
  readonly processesMax: number
  readonly openFilesMax: number
}

/** How many instances a version may have at once, and for how long. */
export interface Scaling {
  readonly instancesMin: number
  readonly instancesMax: number
  /** Longest time an instance without calls is kept; it may be recycled sooner, see `pool`. */
  readonly idleMs: number
}

/** How the platform talks to a version's code, where that is not its environment's own way; see docs/contracts.md. */
export interface ContractChoice {
  readonly name: string
  /** Port that the process listens on. @default what the contract says */
  readonly port?: number
  /** Path that answers 200 to 399 once the process is ready. @default ready when it listens */
  readonly readyPath?: string
  /** How long the process may take until it is ready. */
  readonly startMs?: number
  /** What a runtime that loads functions is told to call, such as `module.function`. */
  readonly functionName?: string
  /** File or folder of the package that such a runtime is given. @default all of it */
  readonly code?: string
  /** Version of Fission's environment interface, 1 or 2. @default 2 */
  readonly interfaceVersion?: number
}

/** Everything that decides how a function runs. Frozen when the version is published. */
export interface VersionSpec {
  readonly environment: string
  /** Absent: the environment's own. */
  readonly contract?: ContractChoice
  /** Digest of the environment's shim and runtime at publication. */
  readonly environmentRevision: string
  /** `sha256:<hex>` of the source package. */
  readonly packageDigest: string
  /** `sha256:<hex>` of the runnable bundle that was built from it. */
  readonly bundleDigest: string
  /** What to call: a file, or `file#export` (Node), `module:function` (Python). */
  readonly entry: string
  /** App configuration overlaid with the function's own. */
  readonly config: Readonly<Record<string, string>>
  /** Names of the project's secrets that the code sees; the values are read when an instance starts. */
  readonly secrets: readonly string[]
  readonly limits: Limits
  readonly scaling: Scaling
  readonly network: NetworkMode
  /** Absent: `process`. */
  readonly isolation?: ChosenTier
  /** Absent: its calls are given no token. */
  readonly token?: TokenGrant
}

/** A token that each call is given: of the project, by a trust of who deployed. */
export interface TokenGrant {
  /** As the identity service calls them. */
  readonly roles: readonly string[]
  readonly trustId: string
  /** Who lends them. */
  readonly userId: string
}

/** An immutable numbered snapshot of everything that decides how a function runs. */
export interface Version {
  readonly id: string
  readonly functionId: string
  readonly number: number
  readonly description: string
  readonly spec: VersionSpec
  readonly createdAt: number
  readonly createdBy: string
}

/** A name for one version, or for several with weights that sum to 100. */
export interface Alias {
  readonly functionId: string
  readonly name: string
  readonly targets: readonly AliasTarget[]
  readonly revision: number
  readonly updatedAt: number
}

/** A version, with its share of an alias's calls in percent. */
export interface AliasTarget {
  readonly version: number
  readonly weight: number
}

/** The alias that a deploy moves and that calls without an alias use. */
export const LIVE_ALIAS = 'live'

/** A route: requests of this host, method and path are calls of the function. */
export interface HttpTrigger {
  readonly id: string
  readonly projectId: string
  readonly functionId: string
  readonly name: string
  /** Host to match, or `undefined` for any. */
  readonly host?: string
  /** Methods to match, upper case; empty for any. */
  readonly methods: readonly string[]
  /** `/a/b` exact, `/a/{id}` with parameters, `/a/*` prefix. */
  readonly path: string
  /** For a prefix: whether the function sees the path without it. */
  readonly stripPrefix: boolean
  /** Version or alias; default the live alias. */
  readonly alias: string
  /** Overrides the function's own access when set. */
  readonly access?: Access
  readonly cors?: Cors
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** What browsers may do from other origins. */
export interface Cors {
  /** Exact origins, or `*`. */
  readonly origins: readonly string[]
  readonly methods: readonly string[]
  readonly headers: readonly string[]
  readonly exposeHeaders: readonly string[]
  readonly credentials: boolean
  readonly maxAgeS: number
}

/** A secret without its value, which is never shown. */
export interface SecretInfo {
  readonly projectId: string
  readonly name: string
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}
