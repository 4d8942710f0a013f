import type { AddressPolicy } from '../core/index.ts'
import type { Topics } from '../topics/index.ts'
import type { KindLoaders } from './catalogue.ts'
import type { RequestLog } from './request-log.ts'

/** What kinds need beside their host; asked for when a kind is loaded. */
export interface KindParts {
  /** Topics of this server; without them no trigger can read one. */
  readonly topics?: Topics
  /** Where they may connect to for tenants. */
  readonly addresses: AddressPolicy
  /** Keeps what comes to secret URLs. */
  readonly requests: RequestLog
}

/** The kinds there are, each loaded when its first trigger needs it. */
export function kindLoaders(parts: KindParts): KindLoaders {
  return {
    schedule: async () => (await import('./schedule/kind.ts')).createScheduleKind(),
    queue: async () => (await import('./queue/index.ts')).createQueueKind(parts),
    object: async () => (await import('./object/kind.ts')).createObjectKind(parts.addresses),
    webhook: async () => (await import('./webhook/kind.ts')).createWebhookKind(parts.requests),
    alarm: async () => (await import('./alarm/kind.ts')).createAlarmKind(parts.requests),
  }
}
