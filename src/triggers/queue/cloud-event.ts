import { type CloudEvent, createEvent, parseHttp, parseTime } from '../../cloudevents/index.ts'
import type { TriggerEvent } from '../kind.ts'
import type { QueueMessage } from './source.ts'

/**
 * The prefixes of attributes in the protocol bindings: Kafka `ce_`, NATS and HTTP `ce-`, AMQP `cloudEvents:` and
 * `cloudEvents_`, MQTT none.
 */
const PREFIXES = ['ce_', 'ce-', 'cloudevents:', 'cloudevents_', ''] as const

type Attributes = Pick<TriggerEvent, 'id' | 'source' | 'type' | 'time' | 'contentType' | 'data'> &
  Partial<Pick<TriggerEvent, 'subject' | 'extensions'>>

/** The event that a message is, when it is a CloudEvent in binary or structured mode; else `undefined`. `time`: where it tells none. */
export function cloudEventOf(message: QueueMessage, time: number): Attributes | undefined {
  try {
    const event = structured(message) ?? binary(message)
    return event && attributesOfEvent(event, time)
  } catch {
    return undefined // it calls itself one and is none: it stays what it is, a message
  }
}

function structured(message: QueueMessage): CloudEvent | undefined {
  const type = message.contentType?.toLowerCase() ?? ''
  if (!type.startsWith('application/cloudevents') || type.startsWith('application/cloudevents-batch'))
    return undefined
  return parseHttp(['content-type', message.contentType!], message.data)?.events[0]
}

function binary(message: QueueMessage): CloudEvent | undefined {
  const lower = new Map(Object.entries(message.headers).map(([name, value]) => [name.toLowerCase(), value]))
  const prefix = PREFIXES.find(each => lower.get(`${each}specversion`) === '1.0')
  if (prefix === undefined) return undefined
  const held = (name: string) => lower.get(prefix + name)
  const extensions: Record<string, string> = {}
  for (const [name, value] of lower) {
    const bare = name.slice(prefix.length)
    if (name.startsWith(prefix) && /^[a-z0-9]{1,64}$/.test(bare) && !STANDARD.has(bare))
      extensions[bare] = value
  }
  const optional = Object.fromEntries(
    ['subject', 'time', 'dataschema'].flatMap(name => {
      const value = held(name)
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const type = message.contentType ?? held('datacontenttype')
  return createEvent({
    id: held('id') ?? '',
    source: held('source') ?? '',
    type: held('type') ?? '',
    ...optional,
    ...(type !== undefined && { datacontenttype: type }),
    extensions,
    data: message.data,
  })
}

const STANDARD = new Set([
  'specversion',
  'id',
  'source',
  'type',
  'subject',
  'time',
  'datacontenttype',
  'dataschema',
  'data',
])

function attributesOfEvent(event: CloudEvent, publishedAt: number): Attributes {
  const time = event.time === undefined ? undefined : parseTime(event.time)
  const extensions = Object.fromEntries(
    Object.entries(event.extensions).map(([name, value]) => [name, String(value)]),
  )
  if (event.dataschema !== undefined) extensions['dataschema'] = event.dataschema
  return {
    id: event.id,
    source: event.source,
    type: event.type,
    time: time ?? publishedAt,
    contentType: event.datacontenttype ?? 'application/json',
    data: event.data ?? new Uint8Array(0),
    ...(event.subject !== undefined && { subject: event.subject }),
    ...(Object.keys(extensions).length > 0 && { extensions }),
  }
}
