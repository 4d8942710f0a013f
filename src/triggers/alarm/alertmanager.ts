import { createHash } from 'node:crypto'
import { attributeText, isUriReference, parseTime } from '../../cloudevents/index.ts'
import { AtelierError, newId } from '../../core/index.ts'
import { textAt, valueAt } from '../hook-body.ts'
import type { HookRequest, TriggerEvent } from '../kind.ts'
import type { Alarm } from './alarm.ts'

/** Alerts of one notification. */
export const ALERTS_MAX = 1_000

/**
 * The alerts that a webhook of Prometheus Alertmanager (version 4) tells of. Throws INVALID_INPUT when the body is no such
 * thing. Pure. An alert is the same while its fingerprint, its state and its beginning are; `keep` makes each telling new.
 */
export function readAlertmanager(
  request: HookRequest,
  value: unknown,
  repeats: 'drop' | 'keep',
): readonly Alarm[] {
  const alerts = valueAt(value, 'alerts')
  if (textAt(value, 'version') !== '4' || !Array.isArray(alerts))
    throw new AtelierError(
      'INVALID_INPUT',
      'This is not what Alertmanager sends: "version" must be "4" and "alerts" an array.',
    )
  if (alerts.length > ALERTS_MAX)
    throw new AtelierError(
      'BODY_TOO_LARGE',
      `A notification holds at most ${ALERTS_MAX} alerts: use max_alerts.`,
    )
  return alerts.map((alert, at) => readAlert(request, value, alert, at, repeats))
}

function readAlert(
  request: HookRequest,
  group: unknown,
  alert: unknown,
  at: number,
  repeats: 'drop' | 'keep',
): Alarm {
  const state = textAt(alert, 'status')
  const startsAt = textAt(alert, 'startsAt')
  if (state === undefined || startsAt === undefined)
    throw new AtelierError('INVALID_INPUT', `alerts/${at} must have the texts "status" and "startsAt".`)
  const labels = textsOf(valueAt(alert, 'labels'))
  const key = digest([textAt(alert, 'fingerprint') ?? labels, state, startsAt])
  const severity = labels['severity']
  const name = labels['alertname'] ?? 'alert'
  const receiver = textAt(group, 'receiver')
  const since = parseTime((state === 'resolved' ? textAt(alert, 'endsAt') : undefined) ?? startsAt)
  return {
    state,
    severity,
    name,
    labels,
    isRepeat: false,
    sameAs: { key, withinMs: REPEATS_MS_MAX },
    event: {
      id: repeats === 'keep' ? newId(request.receivedAt) : key,
      source: sourceOf(group),
      type: `io.prometheus.alert.${attributeText(state)}`,
      subject: attributeText(name),
      time: since ?? request.receivedAt,
      extensions: {
        state: attributeText(state),
        ...(severity !== undefined && { severity: attributeText(severity) }),
        ...(receiver !== undefined && { receiver: attributeText(receiver) }),
      },
      contentType: 'application/json',
      data: Buffer.from(
        JSON.stringify({
          ...(alert as object),
          receiver,
          groupKey: valueAt(group, 'groupKey'),
          externalURL: valueAt(group, 'externalURL'),
        }),
      ),
    },
  }
}

/** One event of the alerts that are wanted: the notification with only these in it. */
export function asOne(
  request: HookRequest,
  value: unknown,
  alarms: readonly Alarm[],
  repeats: 'drop' | 'keep',
): TriggerEvent {
  const isFiring = alarms.some(each => each.state === 'firing')
  const status = isFiring ? 'firing' : 'resolved'
  const groupKey = textAt(value, 'groupKey') ?? ''
  const wanted = alarms.map(each => JSON.parse(Buffer.from(each.event.data).toString()) as object)
  return {
    id:
      repeats === 'keep'
        ? newId(request.receivedAt)
        : digest([groupKey, ...alarms.map(each => each.sameAs.key).toSorted()]),
    source: sourceOf(value),
    type: `io.prometheus.alerts.${status}`,
    ...(groupKey !== '' && { subject: attributeText(groupKey) }),
    time: request.receivedAt,
    extensions: { state: status },
    contentType: 'application/json',
    data: Buffer.from(JSON.stringify({ ...(value as object), status, alerts: wanted })),
  }
}

/** The longest time between two tellings of an alert that goes on; `repeat_interval` is 4 hours by default. */
const REPEATS_MS_MAX = 7 * 86_400_000

function sourceOf(group: unknown): string {
  const url = textAt(group, 'externalURL')
  return url !== undefined && isUriReference(url) ? url : '/alertmanager'
}

function textsOf(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
}
