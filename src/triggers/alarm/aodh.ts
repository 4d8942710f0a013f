import { createHash } from 'node:crypto'
import { attributeText } from '../../cloudevents/index.ts'
import { AtelierError, newId } from '../../core/index.ts'
import { textAt, valueAt } from '../hook-body.ts'
import { headerOf } from '../hook-headers.ts'
import type { HookRequest } from '../kind.ts'
import type { Alarm } from './alarm.ts'

/**
 * The alarm that an `http` or `trust+http` action of Aodh tells of. Throws INVALID_INPUT when the body is no such thing.
 * Pure. A repetition is a state that goes on (`repeat_actions`), except of event alarms: there each is another event.
 */
export function readAodh(request: HookRequest, value: unknown, passToken: boolean): Alarm {
  const id = textAt(value, 'alarm_id')
  const state = textAt(value, 'current')
  if (id === undefined || state === undefined)
    throw new AtelierError(
      'INVALID_INPUT',
      'This is not what Aodh sends: "alarm_id" and "current" must be texts.',
    )
  const previous = textAt(value, 'previous')
  const name = textAt(value, 'alarm_name') ?? id
  const severity = textAt(value, 'severity')
  const message = textAt(value, 'reason_data.event.message_id')
  const token = headerOf(request.headers, 'x-auth-token')
  const key = createHash('sha256')
    .update(JSON.stringify([id, previous, state, valueAt(value, 'reason'), valueAt(value, 'reason_data')]))
    .digest('hex')
  return {
    state,
    severity,
    name,
    labels: {},
    isRepeat: message === undefined && previous === state,
    sameAs: { key, withinMs: SAME_WITHIN_MS },
    event: {
      id: idOf(request, id, state, message),
      source: `/aodh/alarms/${encodeURIComponent(id.toWellFormed())}`,
      type: `org.openstack.aodh.transition.${attributeText(state).replaceAll(' ', '_')}`,
      subject: attributeText(name),
      time: request.receivedAt,
      extensions: {
        state: attributeText(state),
        ...(previous !== undefined && { previousstate: attributeText(previous) }),
        ...(severity !== undefined && { severity: attributeText(severity) }),
      },
      contentType: 'application/json',
      data: request.body,
      ...(passToken && token !== undefined && { headers: ['x-auth-token', token] }),
    },
  }
}

/** The evaluator looks at an alarm every minute by default: the same change so soon is the same one told twice. */
const SAME_WITHIN_MS = 5_000

/** An event alarm is about one event; of others the notifier's own id is the same in each of its attempts. */
function idOf(request: HookRequest, alarmId: string, state: string, message: string | undefined): string {
  const said = message ?? headerOf(request.headers, 'x-openstack-request-id')
  return said === undefined
    ? newId(request.receivedAt)
    : createHash('sha256')
        .update(JSON.stringify([alarmId, state, said]))
        .digest('hex')
        .slice(0, 32)
}
