import type { TriggerKind } from '../kind.ts'
import type { RequestLog } from '../request-log.ts'
import { ALARM_SCHEMA, alarmConfig, checkAlarm } from './config.ts'
import { RunningAlarm, replayed } from './running.ts'
import { sampleOf } from './sample.ts'

/** Alarms of OpenStack Telemetry (Aodh) and alerts of Prometheus (Alertmanager), told at a secret URL. */
export function createAlarmKind(log: RequestLog): TriggerKind {
  return {
    kind: 'alarm',
    summary: 'Alarms of OpenStack Aodh (http, trust+http) and alerts of Prometheus Alertmanager.',
    configSchema: ALARM_SCHEMA,
    secretFields: ['secrets'],
    hasUrl: true,
    check: checkAlarm,
    start: (trigger, host) => new RunningAlarm(trigger, host, log),
    sample: (trigger, now) => sampleOf(alarmConfig(trigger.config).source, now),
    requests: (trigger, limit) => log.list(trigger, limit),
    async replay(trigger, requestId, host) {
      const request = await log.find(trigger, requestId)
      const now = host.clock.now()
      const events = replayed(trigger, { ...request, receivedAt: now, signal: host.signal })
      return events.length === 0 ? [] : host.deliver(events)
    },
  }
}
