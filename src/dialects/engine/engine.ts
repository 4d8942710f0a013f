import type { Principal } from '../../core/index.ts'

/**
 * IronFunctions' nouns: what its own API and Picasso both stand on. Ours keeps them in the platform; a foreign one is asked over HTTP.
 * All reject with `EngineError`, whose status and message are IronFunctions'.
 */
export interface Engine {
  listApps(by: Principal): Promise<readonly EngineApp[]>
  createApp(by: Principal, app: EngineApp): Promise<EngineApp>
  getApp(by: Principal, name: string): Promise<EngineApp>
  /** Configuration is merged; a key with an empty value goes. */
  updateApp(by: Principal, name: string, config: Config): Promise<EngineApp>
  /** Refused while it has routes. */
  deleteApp(by: Principal, name: string): Promise<void>
  /** None for an app that there is not. */
  listRoutes(by: Principal, app: string): Promise<readonly EngineRoute[]>
  createRoute(by: Principal, app: string, route: NewRoute, options: RouteOptions): Promise<EngineRoute>
  getRoute(by: Principal, app: string, path: string): Promise<EngineRoute>
  /** What is empty or zero stays as it is; configuration is merged, headers are added. */
  updateRoute(
    by: Principal,
    app: string,
    path: string,
    change: RouteChange,
    options: Partial<RouteOptions>,
  ): Promise<EngineRoute>
  deleteRoute(by: Principal, app: string, path: string): Promise<void>
  /** Calls a route; see `RunAnswer`. */
  run(call: RunCall): Promise<RunAnswer>
}

/** Environment variables, by name. */
export type Config = Readonly<Record<string, string>>

/** An app as IronFunctions sends it. */
export interface EngineApp {
  readonly name: string
  /** `null` when it was never set. */
  readonly config: Config | null
}

/** A route as IronFunctions 0.2.72 sends it: every field is always there. */
export interface EngineRoute {
  readonly app_name: string
  readonly path: string
  readonly image: string
  /** MiB. */
  readonly memory: number
  /** Of the answers to synchronous calls. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly type: 'sync' | 'async'
  readonly format: 'default' | 'http'
  readonly max_concurrency: number
  /** Seconds. */
  readonly timeout: number
  /** Seconds. */
  readonly idle_timeout: number
  readonly config: Config
  readonly jwt_key: string
}

/** As it was sent: not yet known to be right, except for the types of its fields. */
export type NewRoute = {
  readonly [K in keyof Omit<EngineRoute, 'app_name' | 'type' | 'format'>]?: EngineRoute[K]
} & {
  readonly type?: string
  readonly format?: string
}

/** What is not given stays. */
export type RouteChange = Omit<NewRoute, 'path'>

/** What our own engine keeps beside what IronFunctions does. */
export interface RouteOptions {
  /** Whether anybody may call it: always, in IronFunctions' own API. */
  readonly isPublic: boolean
}

/** One call of a route. */
export interface RunCall {
  /** Whose call it is; `undefined` for anybody's, which reaches public routes alone. */
  readonly by?: Principal
  readonly app: string
  readonly path: string
  readonly method: string
  /** With its `?`, or empty. */
  readonly query: string
  /** Name, value, …; lower-case names, without hop-by-hop headers. */
  readonly headers: readonly string[]
  readonly payload: Uint8Array
  /** When it aborts, a synchronous call is cancelled. */
  readonly signal?: AbortSignal
}

/** The answer of a `sync` route; of an `async` one, the id of the call that will run. */
export type RunAnswer =
  | {
      readonly kind: 'sync'
      readonly id: string
      readonly status: number
      /** Name, value, …; lower-case names. */
      readonly headers: readonly string[]
      readonly body: Buffer
    }
  | { readonly kind: 'async'; readonly id: string }

/** What our own engine keeps of a route; its key of JSON Web Tokens is a secret of the project. */
export interface KeptRoute {
  readonly route: Omit<EngineRoute, 'jwt_key'>
  readonly hasKey: boolean
  readonly isPublic: boolean
  readonly functionName: string
  /** While its function is being made there is no route yet. */
  readonly isMade: boolean
}

/** What an engine refuses, or fails to do, with the status and the words of IronFunctions. */
export class EngineError extends Error {
  readonly status: number
  readonly retryAfterS: number | undefined
  /** Of the call that failed. */
  readonly invocationId: string | undefined
  /** For the answer, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly isBare: boolean

  constructor(status: number, message: string, options: EngineErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.name = 'EngineError'
    this.status = status
    this.retryAfterS = options.retryAfterS
    this.invocationId = options.invocationId
    this.headers = options.headers ?? {}
    this.isBare = options.isBare ?? false
  }
}

interface EngineErrorOptions {
  readonly retryAfterS?: number | undefined
  readonly invocationId?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Whether IronFunctions sends the message as it is, not in an object. */
  readonly isBare?: boolean
  readonly cause?: unknown
}
