/** Kinds of triggers beside `http`, which is a route of its own. */
export const EVENT_TRIGGER_KINDS = ['schedule', 'queue', 'webhook', 'alarm', 'object'] as const
export type EventTriggerKind = (typeof EVENT_TRIGGER_KINDS)[number]

/** How a function gets a trigger's event: as the kind has it, or as a CloudEvent in one of the HTTP bindings. */
export const EVENT_FORMATS = ['native', 'cloudevent', 'cloudevent-structured'] as const
export type EventFormat = (typeof EVENT_FORMATS)[number]

/** What makes events of one source into calls of one function. */
export interface EventTrigger {
  readonly id: string
  readonly projectId: string
  readonly projectName: string
  readonly functionId: string
  readonly appName: string
  readonly functionName: string
  readonly name: string
  readonly kind: EventTriggerKind
  /** Version or alias; default the live alias. */
  readonly alias: string
  readonly format: EventFormat
  /** What the kind wants to know, checked by it. In views, fields that are secret are left out. */
  readonly config: Readonly<Record<string, unknown>>
  /** What opens its URL, for kinds that have one; the newest first. Secret. */
  readonly tokens: readonly UrlToken[]
  /** It takes no events, or lets them wait where they come from. */
  readonly paused: boolean
  readonly revision: number
  readonly createdAt: number
  readonly updatedAt: number
}

/** The secret part of a trigger's URL. */
export interface UrlToken {
  readonly token: string
  /** Epoch ms after which it opens nothing; absent on the one that is current. */
  readonly validUntil?: number
}

/** How a trigger does. Kept beside it, written behind. */
export interface TriggerStatus {
  /** `failing`: the last event or connection failed, it goes on trying. `ended`: there will be no more events. */
  readonly state: 'active' | 'paused' | 'failing' | 'ended'
  readonly lastEventAt?: number
  /** The call that the last event became. */
  readonly lastCallId?: string
  readonly lastError?: string
  readonly lastErrorAt?: number
  /** Events that became calls; that a filter left out; that were duplicates; that were refused or failed. */
  readonly accepted: number
  readonly filtered: number
  readonly duplicates: number
  readonly failed: number
  /** Epoch ms of what is to come, for a kind that knows. */
  readonly nextAt?: readonly number[]
  /** What else the kind has to say: a URL, a position, a lag, a connection. */
  readonly details?: Readonly<Record<string, unknown>>
}
