import type { EventTrigger } from '../../core/index.ts'
import type { RunningTrigger, TriggerEvent, TriggerHost, TriggerKind } from '../kind.ts'
import type { RequestLog } from '../request-log.ts'
import { checkWebhook, WEBHOOK_SCHEMA } from './config.ts'
import { RunningWebhook, replayed } from './running.ts'

/** Requests of other systems at a secret URL, checked by their signature. */
export function createWebhookKind(log: RequestLog): TriggerKind {
  return {
    kind: 'webhook',
    summary: 'A secret URL for other systems: GitHub, GitLab, Stripe, Slack, and whoever signs with HMAC.',
    configSchema: WEBHOOK_SCHEMA,
    secretFields: ['secrets'],
    hasUrl: true,
    check: checkWebhook,
    start: (trigger: EventTrigger, host: TriggerHost): RunningTrigger =>
      new RunningWebhook(trigger, host, log),
    sample: (trigger: EventTrigger, now: number): TriggerEvent => ({
      id: 'sample',
      source: `/projects/${trigger.projectId}/triggers/${encodeURIComponent(trigger.name)}`,
      type: 'atelier.webhook',
      time: now,
      contentType: 'application/json',
      data: Buffer.from(JSON.stringify({ message: 'This is a test.' })),
      method: 'POST',
      path: '/',
    }),
    requests: (trigger, limit) => log.list(trigger, limit),
    async replay(trigger, requestId, host) {
      const request = await log.find(trigger, requestId)
      const now = host.clock.now()
      return host.deliver(replayed(trigger, { ...request, receivedAt: now, signal: host.signal }))
    },
  }
}
