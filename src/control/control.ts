import type { Readable } from 'node:stream'
import type {
  Access,
  Alias,
  AliasTarget,
  App,
  ChosenTier,
  ContractChoice,
  Cors,
  EventFormat,
  EventTrigger,
  EventTriggerKind,
  FunctionRecord,
  HttpTrigger,
  Limits,
  NetworkMode,
  Principal,
  Project,
  Quota,
  Scaling,
  SecretInfo,
  Version,
} from '../core/index.ts'
import type { AsyncChange } from './async-settings.ts'
import type { HeldQuota } from './quota.ts'

/**
 * The control plane's operations. Each checks the policy for its principal first, runs as one transaction, publishes to
 * the function table after the commit, and answers NOT_FOUND for what is another project's. `expected` is the revision
 * that the caller has seen (If-Match): another one in the store is PRECONDITION_FAILED.
 */
export interface Control {
  // projects: operators
  createProject(
    by: Principal,
    input: {
      name: string
      description?: string
      enabled?: boolean
      quota?: Quota
      isolationMin?: ChosenTier
    },
  ): Promise<Project>
  getProject(by: Principal, name: string): Promise<Project>
  /** How much of its quotas a project holds, as far as things are kept; what runs and waits is told elsewhere. */
  getHeldQuota(by: Principal, name: string): Promise<HeldQuota>
  listProjects(by: Principal, page: PageRequest): Promise<Page<Project>>
  updateProject(
    by: Principal,
    name: string,
    change: { description?: string; enabled?: boolean; quota?: Quota; isolationMin?: ChosenTier },
    expected?: number,
  ): Promise<Project>
  /** Refused with CONFLICT while the project has apps. */
  deleteProject(by: Principal, name: string, expected?: number): Promise<void>

  // apps
  createApp(
    by: Principal,
    input: { name: string; description?: string; config?: Record<string, string> },
  ): Promise<App>
  getApp(by: Principal, app: string): Promise<App>
  listApps(by: Principal, page: PageRequest): Promise<Page<App>>
  updateApp(
    by: Principal,
    app: string,
    change: { description?: string; config?: Record<string, string> },
    expected?: number,
  ): Promise<App>
  deleteApp(by: Principal, app: string, options: { force: boolean; expected?: number }): Promise<void>

  // functions
  getFunction(by: Principal, app: string, name: string): Promise<FunctionRecord>
  listFunctions(by: Principal, filter: { app?: string }, page: PageRequest): Promise<Page<FunctionRecord>>
  updateFunction(
    by: Principal,
    app: string,
    name: string,
    change: { description?: string; access?: Access; async?: AsyncChange },
    expected?: number,
  ): Promise<FunctionRecord>
  deleteFunction(by: Principal, app: string, name: string, expected?: number): Promise<void>

  /**
   * The whole way from source to live: the package is stored by digest, built, a version published and the live alias
   * moved, all or nothing; a failure leaves what was live untouched. Creates app and function when they are new.
   */
  deploy(
    by: Principal,
    request: DeployRequest,
    progress: (event: DeployEvent) => void,
    signal: AbortSignal,
  ): Promise<DeployResult>
  /** Moves the live alias to `version`, or to the one that was live before. */
  rollback(
    by: Principal,
    app: string,
    name: string,
    version?: number,
  ): Promise<{ alias: Alias; version: Version }>

  // versions and aliases
  getVersion(by: Principal, app: string, name: string, version: number): Promise<Version>
  listVersions(by: Principal, app: string, name: string, page: PageRequest): Promise<Page<Version>>
  /** Refused with CONFLICT while an alias points to it. */
  deleteVersion(by: Principal, app: string, name: string, version: number): Promise<void>
  getAlias(by: Principal, app: string, name: string, alias: string): Promise<Alias>
  listAliases(by: Principal, app: string, name: string): Promise<readonly Alias[]>
  putAlias(
    by: Principal,
    app: string,
    name: string,
    alias: string,
    targets: readonly AliasTarget[],
    expected?: number,
  ): Promise<Alias>
  deleteAlias(by: Principal, app: string, name: string, alias: string, expected?: number): Promise<void>

  // packages
  getPackage(by: Principal, digest: string): Promise<PackageInfo>
  listPackages(by: Principal, page: PageRequest): Promise<Page<PackageInfo>>
  readPackage(by: Principal, digest: string): Promise<Readable>
  readBuildLog(by: Principal, digest: string): Promise<string>

  // triggers of every kind: one noun, names are unique in the project
  createTrigger(by: Principal, input: TriggerInput): Promise<TriggerView>
  getTrigger(by: Principal, name: string): Promise<TriggerView>
  listTriggers(
    by: Principal,
    filter: { app?: string; function?: string; kind?: TriggerView['kind'] },
    page: PageRequest,
  ): Promise<Page<TriggerView>>
  /** INVALID_INPUT for a field that triggers of its kind do not have; the kind itself never changes. */
  updateTrigger(by: Principal, name: string, change: TriggerChange, expected?: number): Promise<TriggerView>
  deleteTrigger(by: Principal, name: string, expected?: number): Promise<void>
  /** A new secret URL; the old one works for `graceMs` more. CONFLICT for a trigger that has none. */
  rotateTrigger(by: Principal, name: string, graceMs: number): Promise<EventTriggerView>

  // secrets: values go in and never come out again
  putSecret(by: Principal, name: string, value: string): Promise<SecretInfo>
  listSecrets(by: Principal, page: PageRequest): Promise<Page<SecretInfo>>
  deleteSecret(by: Principal, name: string): Promise<void>
}

/** Which part of a list. */
export interface PageRequest {
  /** At most this many, 1 to 1000. @default 100 */
  readonly limit?: number
  /** From an earlier page's `next`; one that was tampered with is INVALID_INPUT. */
  readonly cursor?: string
}

/** Part of a list; `next` is the cursor of what comes after, absent at the end. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next?: string
}

/** A function to make or change. What is not given stays as it is, or is as by default. */
export interface DeployRequest {
  readonly app: string
  readonly name: string
  /** The package as it came: a zip, tar or tar.gz archive, or one source file. `undefined` re-uses the live version's. */
  readonly package?: { readonly source: Readable; readonly fileName: string }
  /** A container image instead of a package: pulled, and pinned by its digest. */
  readonly image?: string
  /** Name of the project's secret with `user:password` for the image's registry. */
  readonly imageSecret?: string
  readonly description?: string
  readonly access?: Access
  /** What is not given is detected from the package, then taken from the live version, then from the defaults. */
  readonly environment?: string
  /** How the platform talks to the code: a name alone, or with its settings. */
  readonly contract?: string | ContractChoice
  readonly entry?: string
  readonly config?: Record<string, string>
  readonly secrets?: readonly string[]
  readonly limits?: Partial<Limits>
  readonly scaling?: Partial<Scaling>
  readonly network?: NetworkMode
  readonly isolation?: ChosenTier
  /** Roles that the deployer lends to the code: each call is given a token of the project with them. @default none */
  readonly tokenRoles?: readonly string[]
  /** The deployer's own token, which lending needs. */
  readonly callerToken?: string | undefined
  /** What was lent to the live version stays, whoever deploys: for deploys that change nothing of the code. Then `tokenRoles` says nothing. */
  readonly keepsToken?: boolean
  /** Not part of the version: holds from the deploy on, also for calls that wait. */
  readonly async?: AsyncChange
  /** Keep the live alias where it is: publish only. */
  readonly publishOnly?: boolean
}

/** What a deploy does and says, as it comes. */
export type DeployEvent =
  | {
      readonly kind: 'stage'
      readonly stage: 'pull' | 'receive' | 'unpack' | 'dependencies' | 'check' | 'publish'
      readonly detail: string
    }
  | { readonly kind: 'log'; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string }

/** What was published, and where. */
export interface DeployResult {
  readonly function: FunctionRecord
  readonly version: Version
  /** Whether anything changed: the same package with the same settings publishes nothing new. */
  readonly created: boolean
  /** Where it answers, through the router. */
  readonly url: string
}

/** A package of the project, by its digest; `createdAt` is epoch ms. */
export interface PackageInfo {
  readonly digest: string
  readonly sizeBytes: number
  readonly fileName: string
  readonly createdAt: number
}

/** A trigger to make: a route, or what waits for events. */
export type TriggerInput = HttpTriggerInput | EventTriggerInput

/** A route to make. What is not given is as in `HttpTrigger`: any host, any method. */
export interface HttpTriggerInput {
  /** @default http */
  readonly kind?: 'http'
  readonly name: string
  readonly app: string
  readonly function: string
  readonly alias?: string
  readonly host?: string
  readonly methods?: readonly string[]
  readonly path: string
  readonly stripPrefix?: boolean
  readonly access?: Access
  readonly cors?: Partial<Cors>
}

/** What waits for events, to be made; `config` is its kind's. */
export interface EventTriggerInput {
  readonly kind: EventTriggerKind
  readonly name: string
  readonly app: string
  readonly function: string
  readonly alias?: string
  /** @default native */
  readonly format?: EventFormat
  readonly config?: Readonly<Record<string, unknown>>
  readonly paused?: boolean
}

/**
 * What is left out stays. Of a route, `null` takes a field away that need not be said. For event triggers, `config` is a JSON
 * Merge Patch: what it leaves out stays, secrets too; `null` removes.
 */
export type TriggerChange = Partial<Omit<HttpTriggerInput, 'kind' | Unsettable>> & {
  readonly [Field in Unsettable]?: HttpTriggerInput[Field] | null
} & Partial<Omit<EventTriggerInput, 'kind'>>

type Unsettable = 'host' | 'methods' | 'access' | 'cors'

/** A trigger as its project sees it. */
export type TriggerView = HttpTriggerView | EventTriggerView

/** A route, with the names behind its ids and where it answers. */
export interface HttpTriggerView extends HttpTrigger {
  readonly kind: 'http'
  readonly app: string
  readonly function: string
  readonly url: string
}

/** What waits for events, without its secrets. */
export interface EventTriggerView
  extends Omit<EventTrigger, 'projectName' | 'appName' | 'functionName' | 'tokens'> {
  readonly app: string
  readonly function: string
  /** Dotted paths of the secret fields that are set: `config` shows none of them. */
  readonly secretsSet: readonly string[]
  /** For kinds that have one, and only for those who may write. */
  readonly url?: string
}
