import { hookRequestOf } from '../hook-headers.ts'
import type { TriggerEvent } from '../kind.ts'
import { readAlertmanager } from './alertmanager.ts'
import { readAodh } from './aodh.ts'
import type { AlarmSource } from './config.ts'

/** What a test-fire tells of: an alarm that there is not. */
export function sampleOf(source: AlarmSource, now: number): TriggerEvent {
  const value = source === 'aodh' ? AODH : alertmanager(now)
  const request = hookRequestOf(Buffer.from(JSON.stringify(value)), now)
  return source === 'aodh'
    ? readAodh(request, value, false).event
    : readAlertmanager(request, value, 'keep')[0]!.event
}

const AODH = {
  alarm_name: 'test',
  alarm_id: '00000000-0000-0000-0000-000000000000',
  severity: 'low',
  previous: 'ok',
  current: 'alarm',
  reason: 'This is a test.',
  reason_data: { type: 'threshold', disposition: 'outside', count: 1, most_recent: 1 },
}

function alertmanager(now: number) {
  return {
    version: '4',
    groupKey: '{}:{alertname="Test"}',
    status: 'firing',
    receiver: 'test',
    externalURL: 'http://alertmanager.example',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'Test', severity: 'none' },
        annotations: { summary: 'This is a test.' },
        startsAt: new Date(now).toISOString(),
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: 'http://prometheus.example/graph',
        fingerprint: '0000000000000000',
      },
    ],
  }
}
