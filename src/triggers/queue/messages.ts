import { createHash } from 'node:crypto'
import type { AsyncResult } from '../../async/index.ts'
import { isMediaType } from '../../cloudevents/index.ts'
import { AtelierError } from '../../core/index.ts'
import type { TriggerEvent } from '../kind.ts'
import { cloudEventOf } from './cloud-event.ts'
import { headersOf, plainText } from './headers.ts'
import type { OutgoingMessage, QueueMessage } from './source.ts'
import type { Item, Work } from './work.ts'

/** Of one message: what fits into a call that is buffered. */
export const MESSAGE_BYTES_MAX = 6 * 1024 * 1024

export interface Origin {
  /** `nats`, `kafka` …; and which trigger reads it. */
  readonly source: string
  readonly trigger: string
}

/**
 * A message as an event. One that is a CloudEvent, in the form that its broker's protocol binding has, is that event;
 * any other becomes one of type `atelier.queue.message`. `fallbackId` is for messages that nobody gave an id.
 */
export function eventOf(
  message: QueueMessage,
  origin: Origin,
  now: number,
  fallbackId: string,
): TriggerEvent {
  const time = publishedAt(message) ?? now
  const given = cloudEventOf(message, time)
  const topic = encodeURIComponent(message.topic)
  const plain = {
    id: message.publishedId ?? message.id ?? fallbackId,
    source: `/triggers/${encodeURIComponent(origin.trigger)}/${origin.source}/${topic}`,
    type: 'atelier.queue.message',
    subject: message.topic,
    time,
    contentType: typeOf(message),
    data: message.data,
  }
  const id = message.id ?? (given ? `${given.source} ${given.id}` : fallbackId)
  const deliveryId = createHash('sha256').update(`${origin.source} ${id}`).digest('base64url')
  return { ...plain, ...given, ...headersOf(message, origin), deliveryId }
}

/** When it was published, where that can be written as a date: publishers choose it, and even Redis' ids are theirs to say. */
function publishedAt({ publishedAt: at }: QueueMessage): number | undefined {
  return at !== undefined && at >= 0 && at <= TIME_MAX ? at : undefined
}

const TIME_MAX = Date.UTC(9999, 11, 31)

/** What the publisher calls the data, where that can stand in a header: brokers let anything through. */
function typeOf({ contentType }: QueueMessage): string {
  return contentType !== undefined && contentType.length <= TYPE_LENGTH_MAX && isMediaType(contentType)
    ? contentType
    : 'application/octet-stream'
}

const TYPE_LENGTH_MAX = 1_024

/** Why a message cannot become a call at all; `undefined` when it can. */
export function unfitReason(message: QueueMessage): AtelierError | undefined {
  if (message.data.length <= MESSAGE_BYTES_MAX) return undefined
  return new AtelierError(
    'BODY_TOO_LARGE',
    `The message has ${message.data.length} bytes; a call takes at most ${MESSAGE_BYTES_MAX}.`,
  )
}

/** What work has to publish after its call. */
export function outgoingOf({ items, step }: Work): readonly OutgoingMessage[] {
  if (step.kind === 'answer') return [answerMessage(items, step.answer)]
  return step.kind === 'give-up' ? items.map(item => failureMessage(item, step.error)) : []
}

/** What a trigger's owner reads of a message that was given up. */
export function givenUpError(item: Item, error: AtelierError, target: string | undefined): AtelierError {
  const what = target === undefined ? 'was dropped; there is no error topic' : `went to ${target}`
  const text = `Message ${item.event.id} ${what}. After ${item.attempts} attempts: ${error.message}`
  return new AtelierError(error.code, text, { cause: error })
}

/** The function's answer, for the response topic. */
function answerMessage(items: readonly Item[], answer: AsyncResult): OutgoingMessage {
  const first = items[0]!
  let contentType = 'application/octet-stream'
  for (let i = 0; i < answer.headers.length; i += 2)
    if (answer.headers[i]!.toLowerCase() === 'content-type') contentType = answer.headers[i + 1]!
  return {
    data: answer.body,
    contentType,
    headers: {
      'atelier-status': String(answer.status),
      'atelier-answer-to': items
        .map(item => plainText(item.event.id))
        .slice(0, 100)
        .join(','),
    },
    key: first.key,
  }
}

/** The message as it came, with why it was given up, for the error topic. */
function failureMessage(item: Item, error: AtelierError): OutgoingMessage {
  const { message } = item.delivery
  return {
    data: message.data,
    contentType: message.contentType ?? 'application/octet-stream',
    headers: {
      ...message.headers,
      'atelier-error': error.code,
      'atelier-error-message': plainText(error.message).slice(0, 1_000),
      'atelier-attempts': String(item.attempts),
      'atelier-message-id': plainText(item.event.id),
      'atelier-topic': plainText(message.topic),
    },
    key: message.key,
  }
}
