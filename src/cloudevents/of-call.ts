import { type AsyncCall, AtelierError } from '../core/index.ts'
import { type AttributeValue, type CloudEvent, createEvent, VALUE_LENGTH_MAX } from './event.ts'
import { parseHttp } from './http.ts'
import { datacontenttypeProblem } from './values.ts'

/** An answer of a function, its body whole. */
export interface CallAnswer {
  readonly status: number
  /** Name, value, …; Latin-1. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
}

/**
 * The events that a call's outcome is, for its destination or for a topic that takes its answers. A call that succeeded
 * with an answer that is a CloudEvent (binary, structured or batch) is that event, or those: the function speaks for
 * itself. Anything else is one event about the call: `type` is `atelier.call.` and how it ended, `id` the call's,
 * `subject` app and function, the answer is its data; why it failed stands in the extensions `failure`, `failurecode`
 * and `failuremessage`. Never throws: an answer that calls itself an event and is none is told in `invalidevent`.
 */
export function eventsOfCall(call: AsyncCall, answer: CallAnswer | undefined): readonly CloudEvent[] {
  let invalid: string | undefined
  if (answer && call.state === 'succeeded') {
    try {
      const parsed = parseHttp(answer.headers, answer.body)
      if (parsed) return parsed.events
    } catch (error) {
      if (!(error instanceof AtelierError)) throw error
      invalid = error.message
    }
  }
  return [eventAbout(call, answer, invalid)]
}

const MESSAGE_LENGTH_MAX = 1_000

function eventAbout(
  call: AsyncCall,
  answer: CallAnswer | undefined,
  invalid: string | undefined,
): CloudEvent {
  const extensions: Record<string, AttributeValue> = {
    attempts: call.attempts,
    trigger: attributeText(call.trigger),
  }
  if (call.triggerName !== undefined) extensions['triggername'] = attributeText(call.triggerName)
  if (answer) extensions['httpstatus'] = answer.status
  if (call.lastFailure && call.state !== 'succeeded') {
    extensions['failure'] = call.lastFailure.kind
    extensions['failurecode'] = attributeText(call.lastFailure.code)
    extensions['failuremessage'] = attributeText(call.lastFailure.message)
  }
  if (invalid !== undefined) extensions['invalidevent'] = attributeText(invalid)
  const type = answer && contentTypeOf(answer.headers)
  return createEvent({
    id: call.id,
    source: `/projects/${call.projectId}/functions/${call.functionId}`,
    type: `atelier.call.${call.state}`,
    subject: `${call.appName}/${call.functionName}`,
    time: new Date(call.endedAt ?? call.acceptedAt).toISOString(),
    ...(type !== undefined && { datacontenttype: type }),
    extensions,
    ...(answer && answer.body.length > 0 && { data: answer.body }),
  })
}

/** The type that a function gives its answer, unless it is none or claims what the answer is not. */
function contentTypeOf(headers: readonly string[]): string | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== 'content-type') continue
    const type = headers[i + 1]!
    const isUsable = type.length <= VALUE_LENGTH_MAX && datacontenttypeProblem(type) === undefined
    return isUsable && !/^application\/cloudevents/i.test(type) ? type : undefined
  }
  return undefined
}

/** A text from outside as an attribute may hold it: without what is forbidden, not too long, never empty. */
export function attributeText(text: string): string {
  const clean = text.toWellFormed().replace(/[\p{Cc}\p{Noncharacter_Code_Point}]+/gu, ' ')
  return clean.slice(0, MESSAGE_LENGTH_MAX).toWellFormed().trim() || '-'
}
