import type { QueueStatus } from '../../async/index.ts'
import type {
  Alias,
  App,
  AsyncCall,
  EventTrigger,
  FunctionRecord,
  HttpTrigger,
  Invocation,
  LogLine,
  Project,
  SecretInfo,
  TriggerStatus,
  Version,
  Wire,
} from '../../core/index.ts'

export interface Paged<T> {
  readonly items: readonly T[]
  readonly next?: string
}

/** RFC 9457. */
export interface Problem {
  readonly type?: string
  readonly title?: string
  readonly status: number
  readonly detail?: string
  readonly errors?: readonly { readonly pointer?: string; readonly detail: string }[]
  readonly retryAfter?: number
}

export interface IssuedToken {
  readonly token: string
  readonly expiresAt: string
  readonly user: string
  readonly project: string
  readonly roles: readonly string[]
}

export type WireProject = Wire<Project>
export type WireApp = Wire<App>
export type WireFunction = Wire<FunctionRecord> & { readonly url?: string }
export type WireVersion = Wire<Version>
export type WireAlias = Wire<Alias>
export type WireTrigger = WireHttpTrigger | WireEventTrigger
export type WireHttpTrigger = Wire<HttpTrigger> & {
  readonly kind: 'http'
  readonly app: string
  readonly function: string
  readonly url?: string
}
export type WireEventTrigger = Wire<
  Omit<EventTrigger, 'projectName' | 'appName' | 'functionName' | 'tokens'>
> & {
  readonly app: string
  readonly function: string
  readonly url?: string
  readonly secretsSet: readonly string[]
  readonly status: Omit<TriggerStatus, 'lastEventAt' | 'lastErrorAt' | 'nextAt'> & {
    readonly lastEventAt?: string
    readonly lastErrorAt?: string
    readonly nextAt?: readonly string[]
  }
}
export interface WireTriggerKind {
  readonly kind: string
  readonly summary: string
  /** JSON Schema of its configuration. */
  readonly schema: object
}
export interface WireRecordedRequest {
  readonly id: string
  readonly receivedAt: string
  readonly method: string
  readonly remoteAddress: string
  readonly bodyBytes: number
  readonly outcome: string
  readonly detail?: string
  readonly callId?: string
}
export type WireSecret = Wire<SecretInfo>
export type WireAsyncCall = Wire<AsyncCall>
export type WireQueue = Wire<QueueStatus> & { readonly paused: boolean }
export type WireInvocation = Wire<Invocation>
export type WireLogLine = Wire<LogLine>

export interface WireTopic {
  readonly name: string
  readonly retention: { readonly ageMs: number; readonly messagesMax: number; readonly bytesMax: number }
  readonly firstPosition: number
  readonly lastPosition: number
  readonly createdAt: string
}

export interface WireTopicMessage {
  readonly position: number
  readonly id: string
  readonly key?: string
  readonly contentType: string
  readonly text?: string
  readonly base64?: string
  readonly publishedAt: string
}

/** One line of a deploy's answer. */
export type WireDeployEvent =
  | { readonly kind: 'stage'; readonly stage: string; readonly detail: string }
  | { readonly kind: 'log'; readonly stream: 'stdout' | 'stderr'; readonly text: string }
  | { readonly kind: 'warning'; readonly text: string }
  | ({ readonly kind: 'result' } & WireDeployResult)
  | { readonly kind: 'error'; readonly problem: Problem }

export interface WireDeployResult {
  readonly function: WireFunction
  readonly version: WireVersion
  readonly created: boolean
  readonly url: string
}
