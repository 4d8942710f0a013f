import { createHash } from 'node:crypto'
import {
  attributeOf,
  attributeText,
  type CloudEvent,
  isMediaType,
  isUriReference,
  parseHttp,
  parseTime,
} from '../../cloudevents/index.ts'
import { type EventTrigger, newId } from '../../core/index.ts'
import { bodyValue, textAt, valueAt } from '../hook-body.ts'
import { headerOf, withoutHeaders } from '../hook-headers.ts'
import type { HookRequest, TriggerEvent } from '../kind.ts'
import type { WebhookConfig } from './config.ts'
import { secretHeaders } from './signature.ts'

/** A request as it was understood. */
export interface Reading {
  /** Usually one; a batch of CloudEvents is several, and may be none. */
  readonly events: readonly TriggerEvent[]
  /** The body's value, for filters. */
  readonly value: unknown
}

/**
 * The events of a genuine request. A CloudEvent in any of the HTTP modes is itself, for triggers that deliver
 * CloudEvents; for others, and for ordinary requests, the request is the event: id, type, source and subject are those
 * of the sender where it is known. Throws INVALID_INPUT for a message that says that it is a CloudEvent and is none.
 */
export function eventsOf(trigger: EventTrigger, config: WebhookConfig, request: HookRequest): Reading {
  const value = bodyValue(request)
  const message = trigger.format === 'native' ? undefined : parseHttp(request.headers, request.body)
  if (message)
    return { events: message.events.map(event => ofCloudEvent(event, config, request.receivedAt)), value }
  return { events: [ofRequest(trigger, config, request, value)], value }
}

function ofRequest(
  trigger: EventTrigger,
  config: WebhookConfig,
  request: HookRequest,
  value: unknown,
): TriggerEvent {
  const said = SENDERS[config.signature]?.(request.headers, value) ?? {}
  const type =
    (config.typeHeader === undefined ? undefined : headerOf(request.headers, config.typeHeader)) ?? said.type
  const source = said.source !== undefined && isUriReference(said.source) ? said.source : undefined
  const contentType = headerOf(request.headers, 'content-type')
  return {
    id: idOf(config, request, said.id),
    source: source ?? `/projects/${trigger.projectId}/triggers/${encodeURIComponent(trigger.name)}`,
    type: type === undefined ? 'atelier.webhook' : attributeText(type),
    ...(said.subject !== undefined && { subject: attributeText(said.subject) }),
    time: request.receivedAt,
    contentType:
      contentType !== undefined && isMediaType(contentType) ? contentType : 'application/octet-stream',
    data: request.body,
    method: request.method,
    path: (request.path || '/') + request.query,
    headers: withoutHeaders(request.headers, secretHeaders(config.signature)),
  }
}

function ofCloudEvent(event: CloudEvent, config: WebhookConfig, receivedAt: number): TriggerEvent {
  const time = attributeOf(event, 'time')
  return {
    id: config.deduplicate === 'none' ? newId(receivedAt) : event.id,
    source: event.source,
    type: event.type,
    ...(event.subject !== undefined && { subject: event.subject }),
    time: (time === undefined ? undefined : parseTime(time)) ?? receivedAt,
    ...(Object.keys(event.extensions).length > 0 && {
      extensions: Object.fromEntries(
        Object.entries(event.extensions).map(([name, value]) => [name, String(value)]),
      ),
    }),
    contentType: event.datacontenttype ?? 'application/json',
    data: event.data ?? new Uint8Array(0),
  }
}

/** What a second delivery of the same event has in common with the first. */
function idOf(config: WebhookConfig, request: HookRequest, said: string | undefined): string {
  if (config.deduplicate === 'none') return newId(request.receivedAt)
  if (config.deduplicate === 'body') return createHash('sha256').update(request.body).digest('hex')
  const own = config.idHeader === undefined ? undefined : headerOf(request.headers, config.idHeader)
  const id = own ?? said
  if (id === undefined || id === '') return newId(request.receivedAt)
  return id.length <= ID_LENGTH_MAX ? attributeText(id) : createHash('sha256').update(id).digest('hex')
}

const ID_LENGTH_MAX = 200

interface Said {
  readonly id?: string | undefined
  readonly type?: string | undefined
  readonly source?: string | undefined
  readonly subject?: string | undefined
}

/** What each known sender calls its events, as the adapters of the CloudEvents specification do. */
const SENDERS: Partial<
  Record<WebhookConfig['signature'], (headers: readonly string[], value: unknown) => Said>
> = {
  github(headers, value) {
    const event = headerOf(headers, 'x-github-event')
    const action = textAt(value, 'action')
    return {
      id: headerOf(headers, 'x-github-delivery'),
      type: event && `com.github.${event}${action === undefined ? '' : `.${action}`}`,
      source: textAt(value, 'repository.html_url') ?? textAt(value, 'organization.url'),
      subject: textAt(value, 'repository.full_name') ?? textAt(value, 'organization.login'),
    }
  },
  gitlab(headers, value) {
    const kind = textAt(value, 'object_kind') ?? textAt(value, 'event_name')
    return {
      id: headerOf(headers, 'webhook-id') ?? headerOf(headers, 'idempotency-key'),
      type: kind && `com.gitlab.${kind}`,
      source: textAt(value, 'project.web_url') ?? textAt(value, 'repository.homepage'),
      subject: textAt(value, 'project.path_with_namespace'),
    }
  },
  stripe(_headers, value) {
    const type = textAt(value, 'type')
    return {
      id: textAt(value, 'id'),
      type: type && `com.stripe.${type}`,
      source: `https://api.stripe.com/${encodeURIComponent(textAt(value, 'account') ?? '')}`,
      subject: textAt(value, 'data.object.id'),
    }
  },
  slack(_headers, value) {
    const team = textAt(value, 'team_id') ?? textAt(value, 'team.id')
    const command = textAt(value, 'command')
    const kind = command === undefined ? (textAt(value, 'event.type') ?? textAt(value, 'type')) : 'command'
    return {
      id: textAt(value, 'event_id') ?? textAt(value, 'trigger_id'),
      type: kind && `com.slack.${kind}`,
      source: team && `https://slack.com/teams/${encodeURIComponent(team)}`,
      subject: command ?? textAt(value, 'event.channel') ?? textAt(value, 'channel.id'),
    }
  },
  standard(headers, value) {
    return { id: headerOf(headers, 'webhook-id'), type: textAt(value, 'type') }
  },
}

/** The challenge by which Slack asks whether the URL is the receiver's. */
export function slackChallenge(value: unknown): string | undefined {
  return valueAt(value, 'type') === 'url_verification' ? textAt(value, 'challenge') : undefined
}
