import type { FastifyInstance } from 'fastify'
import type { AsyncCalls } from '../async/index.ts'
import type { Control, DialectRecords, ImageSource } from '../control/index.ts'
import type { Clock, FunctionTable } from '../core/index.ts'
import type { IdentityProvider } from '../identity/index.ts'
import type { Invoker } from '../invoker/index.ts'
import type { Pool, SecretSource } from '../pool/index.ts'
import type { Encrypt } from '../router/index.ts'
import type { TelemetryReader } from '../telemetry/index.ts'
import type { CallReader } from './calls.ts'

/** The API of another system, spoken so that its clients need not know that we are there: translation, and nothing else. */
export interface Dialect {
  readonly name: string
  readonly portDefault: number
  /** As what Keystone's catalogue of this server lists it, for clients that look there. */
  readonly service?: { readonly type: string; readonly name: string }
  /**
   * Adds its routes, its error answers and its not-found answer to a server of its own. It checks who asks by itself, as the
   * system that it stands for did. What it returns reads the calls that need not go through that server.
   */
  register(server: FastifyInstance, parts: DialectParts): void | CallReader | Promise<void | CallReader>
}

/** What a dialect may use of the platform. */
export interface DialectParts {
  readonly control: Control
  readonly invoker: Invoker
  readonly async: AsyncCalls
  readonly telemetry: TelemetryReader
  readonly identity: IdentityProvider
  readonly table: FunctionTable
  readonly records: DialectRecords
  /** Values of a project's secrets, by name. */
  readonly secrets: SecretSource
  /** Where container images come from. */
  readonly images: ImageSource
  /** What runs the functions, for dialects that show it. */
  readonly pool: Pick<Pool, 'instances' | 'kill'>
  readonly settings: DialectSettings
  readonly clock: Clock
  readonly log: DialectLog
  /** Without it: plain HTTP. */
  readonly encrypt?: Encrypt | undefined
}

/** What the operator says of single dialects. */
export interface DialectSettings {
  /** The project that dialects without users work in; empty for none: then they need a token. */
  readonly openProject: string
  readonly ironfunctions: {
    /** Key of the JSON Web Tokens that its API needs then; empty for none. */
    readonly jwtKey: string
  }
  readonly picasso: {
    /** Where another IronFunctions runs its functions; empty for our own. */
    readonly functionsUrl: string
  }
  readonly qinling: {
    /** Where clients reach it, for the addresses of webhooks; empty for the address that was asked. */
    readonly endpoint: string
    /** Of the object store that functions' code may be read from, with `%(project_id)s` for the project; empty for none. */
    readonly swiftUrl: string
    /** How long executions are kept. */
    readonly executionDays: number
  }
}

export interface DialectLog {
  isLevelEnabled(level: 'debug'): boolean
  debug(fields: object, message: string): void
  /** For failures that are ours, with their cause. */
  error(fields: object, message: string): void
}
