import { AtelierError } from '../../core/index.ts'
import type { NotificationsConfig } from './config.ts'
import { idFrom, type ObjectHappening, sourceOf, type ToldEvent } from './event.ts'
import { isRecord, type JsonRecord, parseJson, recordAt, textAt } from './json.ts'

const EVENT_TYPE = 'objectstore.http.request'
const METHODS_DEFAULT: readonly string[] = ['PUT', 'DELETE']
const OUTGOING_BYTES = 'storage.objects.outgoing.bytes'

const HAPPENINGS: Readonly<Record<string, ObjectHappening>> = {
  PUT: 'written',
  POST: 'metadata',
  DELETE: 'deleted',
  COPY: 'copied',
}

/**
 * The event in one message of OpenStack's bus, or that it is none for this trigger. INVALID_INPUT for what is no
 * notification at all. Pure.
 *
 * ceilometermiddleware tells each request that reached Swift, and always `success`: also requests that Swift refused. But
 * the answer of a PUT or DELETE that worked has no body, and one that did not has; the bytes of the answer are told.
 */
export function readNotification(
  bytes: Uint8Array,
  config: NotificationsConfig,
  now: number,
): ToldEvent | 'unwanted' {
  const message = openEnvelope(bytes)
  const payload = recordAt(message, 'payload')
  if (message['event_type'] !== EVENT_TYPE) return 'unwanted'
  const target = recordAt(payload, 'target')
  const metadata = recordAt(target, 'metadata')
  const method = (textAt(target, 'action') ?? '').toUpperCase()
  const [container, object] = [textAt(metadata, 'container'), textAt(metadata, 'object')]
  if (container === undefined || object === undefined) return 'unwanted' // about an account or a container
  if (!(config.methods ?? METHODS_DEFAULT).includes(method)) return 'unwanted'
  if (payload['outcome'] !== 'success' || wasRefused(method, payload)) return 'unwanted'
  const project = textAt(target, 'id')
  const initiator = recordAt(payload, 'initiator')
  if (project === undefined || !config.projects.includes(project)) return 'unwanted'
  if (config.strangers !== true && textAt(initiator, 'project_id') !== project) return 'unwanted'

  const id = textAt(payload, 'id') ?? textAt(message, 'message_id')
  if (id === undefined) throw noNotification()
  const time = Date.parse(`${textAt(payload, 'eventTime') ?? ''}Z`)
  const size = measured(payload, 'storage.objects.incoming.bytes')
  const user = textAt(initiator, 'id')
  return {
    id: idFrom(id),
    source: sourceOf('swift', textAt(metadata, 'path')?.split('/')[1] ?? project),
    happened: {
      event: HAPPENINGS[method] ?? 'other',
      container: decodeName(container),
      object: decodeName(object),
      timeMs: Number.isNaN(time) ? now : time,
      ...(method === 'PUT' && size !== undefined && { sizeBytes: size }),
      project,
      ...(user !== undefined && { user }),
    },
    original: { cadf: payload },
  }
}

/** oslo.messaging's envelope of version 2.0 holds the notification as a text; without it (1.0) it is the message itself. */
function openEnvelope(bytes: Uint8Array): JsonRecord {
  const outer = parseJson(bytes, 'The message')
  if (!isRecord(outer)) throw noNotification()
  const inner = outer['oslo.message']
  const message = typeof inner === 'string' ? parseJson(Buffer.from(inner), 'oslo.message') : outer
  if (!isRecord(message) || !isRecord(message['payload'])) throw noNotification()
  return message
}

function wasRefused(method: string, payload: JsonRecord): boolean {
  return (method === 'PUT' || method === 'DELETE') && (measured(payload, OUTGOING_BYTES) ?? 0) > 0
}

function measured(payload: JsonRecord, name: string): number | undefined {
  const measurements = payload['measurements']
  if (!Array.isArray(measurements)) return undefined
  const found = measurements.filter(isRecord).find(each => recordAt(each, 'metric')['name'] === name)
  return typeof found?.['result'] === 'number' ? found['result'] : undefined
}

/**
 * The middleware quotes a path that WSGI holds as Latin-1, so what is not ASCII arrives encoded twice. A name that is no
 * UTF-8 underneath was encoded once.
 */
function decodeName(quoted: string): string {
  const once = percentDecoded(quoted)
  const bytes = Buffer.from(once, 'latin1')
  if (bytes.toString('latin1') !== once) return once
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return once
  }
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function noNotification(): AtelierError {
  return new AtelierError('INVALID_INPUT', 'A message on the bus is no notification of oslo.messaging.')
}
