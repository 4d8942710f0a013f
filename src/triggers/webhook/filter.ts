import { type CloudEvent, type EventFilter, matchesAttributes } from '../../cloudevents/index.ts'
import { valueAt } from '../hook-body.ts'
import { headerOf } from '../hook-headers.ts'
import type { TriggerEvent } from '../kind.ts'
import type { WebhookFilter } from './config.ts'

/** Whether a request is one that the trigger wants, as far as its headers and its body say. */
export function wantsRequest(
  filter: WebhookFilter | undefined,
  headers: readonly string[],
  value: unknown,
): boolean {
  for (const [name, values] of Object.entries(filter?.headers ?? {}))
    if (!values.includes(headerOf(headers, name) ?? '')) return false
  for (const [path, values] of Object.entries(filter?.fields ?? {})) {
    const found = valueAt(value, path)
    if (!values.some(each => each === found)) return false
  }
  return true
}

/** Whether an event is one that the trigger wants, by its attributes. */
export function wantsEvent(filter: EventFilter | undefined, event: TriggerEvent): boolean {
  return filter === undefined || matchesAttributes(filter, name => attribute(event, name))
}

function attribute(event: TriggerEvent, name: string): string | undefined {
  const known: Partial<Record<keyof CloudEvent | 'specversion', string | undefined>> = {
    specversion: '1.0',
    id: event.id,
    source: event.source,
    type: event.type,
    subject: event.subject,
    time: new Date(event.time).toISOString(),
    datacontenttype: event.contentType,
  }
  if (Object.hasOwn(known, name)) return known[name as keyof typeof known]
  const { extensions } = event
  return extensions && Object.hasOwn(extensions, name) ? extensions[name] : undefined
}
