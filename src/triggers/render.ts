import { type CloudEvent, createEvent, toBatch, toHttpBinary, toStructured } from '../cloudevents/index.ts'
import type { EventTrigger } from '../core/index.ts'
import type { TriggerEvent } from './kind.ts'

/** A call as the function sees it. */
export interface RenderedCall {
  readonly method: string
  readonly path: string
  /** Name, value, …; lower-case names. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/** One event in the form that its trigger asks for. Throws INVALID_INPUT for one that cannot be a CloudEvent. Pure. */
export function renderEvent(trigger: EventTrigger, event: TriggerEvent): RenderedCall {
  const about = [
    ...(event.facts ?? []),
    ...headersAbout(trigger),
    'atelier-event-id',
    headerText(event.id),
    'atelier-event-time',
    new Date(event.time).toISOString(),
  ]
  if (trigger.format === 'native')
    return {
      method: event.method ?? 'POST',
      path: event.path ?? '/',
      headers: ['content-type', event.contentType, ...ownHeaders(event.headers ?? []), ...about],
      body: event.data,
    }
  const render = trigger.format === 'cloudevent' ? toHttpBinary : toStructured
  const { headers, body } = render(asCloudEvent(event))
  return { method: 'POST', path: '/', headers: [...headers, ...about], body }
}

/** Several events as one call: a CloudEvents batch, or a JSON array of what they hold. */
export function renderBatch(trigger: EventTrigger, events: readonly TriggerEvent[]): RenderedCall {
  const about = headersAbout(trigger)
  if (trigger.format !== 'native') {
    const { headers, body } = toBatch(events.map(asCloudEvent))
    return { method: 'POST', path: '/', headers: [...headers, ...about], body }
  }
  const body = Buffer.from(JSON.stringify(events.map(dataAsJson)))
  return { method: 'POST', path: '/', headers: ['content-type', 'application/json', ...about], body }
}

export function asCloudEvent(event: TriggerEvent): CloudEvent {
  return createEvent({
    id: event.id,
    source: event.source,
    type: event.type,
    ...(event.subject !== undefined && { subject: event.subject }),
    time: new Date(event.time).toISOString(),
    datacontenttype: event.contentType,
    extensions: event.extensions ?? {},
    ...(event.data.length > 0 && { data: event.data }),
  })
}

/** JSON as it is, other text as a string, anything else in base64. */
function dataAsJson({ contentType, data }: TriggerEvent): unknown {
  const text = Buffer.from(data.buffer, data.byteOffset, data.length)
  if (/^application\/(.*\+)?json\b/i.test(contentType)) {
    try {
      return JSON.parse(text.toString())
    } catch {
      // It said that it is JSON and is not: it goes on as what it is.
    }
  }
  return /^text\/|json\b/i.test(contentType) ? text.toString() : text.toString('base64')
}

function headersAbout(trigger: EventTrigger): string[] {
  return ['atelier-trigger', trigger.name, 'atelier-trigger-kind', trigger.kind]
}

// What a source sends must neither pass for the platform's word nor steer the connection.
const NOT_A_SOURCES =
  /^(atelier-.*|content-type|content-length|connection|keep-alive|te|trailer|transfer-encoding|upgrade|host|expect|proxy-.*)$/

function ownHeaders(headers: readonly string[]): string[] {
  const own: string[] = []
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (!NOT_A_SOURCES.test(headers[i]!)) own.push(headers[i]!, headers[i + 1]!)
  return own
}

/** Text that a header can carry: everything but printable ASCII is percent-encoded. */
function headerText(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/gu, found => encodeURIComponent(found.toWellFormed()))
}
