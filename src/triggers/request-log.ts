import type { EventTrigger } from '../core/index.ts'
import type { HookRequest, RecordedRequest } from './kind.ts'

/** What is kept of the requests that come to one trigger. */
export interface RecordLimits {
  /** The newest so many; 0 keeps none. */
  readonly requests: number
  readonly keptMs: number
  /** A larger body is cut off, and its request cannot be replayed. */
  readonly bodyBytesMax: number
}

export const RECORD_DEFAULT: RecordLimits = { requests: 20, keptMs: 86_400_000, bodyBytesMax: 262_144 }

/** The schema of `record` in the configuration of a kind with a URL. */
export const RECORD_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  description: 'What is kept of requests, to look at them and to replay them.',
  properties: {
    requests: {
      type: 'integer',
      minimum: 0,
      maximum: 200,
      description: 'The newest so many; 0 keeps none. Default 20.',
    },
    keptMs: {
      type: 'integer',
      minimum: 60_000,
      maximum: 30 * 86_400_000,
      description: 'For so long, in milliseconds. Default a day.',
    },
    bodyBytesMax: {
      type: 'integer',
      minimum: 0,
      maximum: 1_048_576,
      description: 'A larger body is cut off, and cannot be replayed. Default 262144.',
    },
  },
} as const

/** What became of a request. */
export interface Outcome {
  readonly outcome: 'accepted' | 'filtered' | 'duplicate' | 'refused'
  readonly detail?: string
  readonly callId?: string
}

/** Keeps requests behind: nobody waits for it, and what it keeps may lose its last moment when the server is killed. */
export interface RequestLog {
  /** `headers` are those that may be shown. Never throws; under a flood, some are not kept. */
  add(trigger: EventTrigger, limits: RecordLimits, request: HookRequest, what: Outcome): void
  /** The newest first. */
  list(trigger: EventTrigger, limit: number): Promise<readonly RecordedRequest[]>
  /** The request as it came. NOT_FOUND when it is not kept, CONFLICT when its body was cut off. */
  find(trigger: EventTrigger, id: string): Promise<StoredRequest>
}

export type StoredRequest = Omit<HookRequest, 'signal'>
