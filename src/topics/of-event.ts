import { createHash } from 'node:crypto'
import { attributesOf, type CloudEvent } from '../cloudevents/index.ts'
import type { NewMessage } from './topics.ts'

const ID_MAX = 255

/** An event as a message: its attributes with `ce-` before them, so that subscribers get the same event. */
export function messageOfEvent(event: CloudEvent, key?: string): NewMessage {
  // Source and id name an event together: the same id of two sources are two events.
  const name = `${event.source} ${event.id}`
  const attributes: Record<string, string> = { 'ce-specversion': '1.0' }
  for (const [each, value] of attributesOf(event))
    if (each !== 'datacontenttype') attributes[`ce-${each}`] = String(value)
  return {
    id: name.length <= ID_MAX ? name : createHash('sha256').update(name).digest('base64url'),
    ...(key !== undefined && { key }),
    contentType: event.datacontenttype ?? 'application/json',
    attributes,
    data: event.data ?? new Uint8Array(0),
  }
}
