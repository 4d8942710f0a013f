/** Calls as Lambda's events. Pure. */
import type { CallHead } from '../contract.ts'
import { eachField } from '../fields.ts'

/** A call's headers by name; what is said more than once is joined. */
export function fieldsOf(head: Pick<CallHead, 'headers' | 'block'>): Map<string, string> {
  const fields = new Map<string, string>()
  eachField(head, (name, value) => {
    const before = fields.get(name)
    fields.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ','}${value}`)
  })
  return fields
}

/** Bodies of this type are the event themselves. */
const EVENT_TYPE = /^application\/vnd\.atelier\.event\+json\b/i

/** Whether the call's body is the event, whatever the function is set to. */
export function isEvent(fields: ReadonlyMap<string, string>): boolean {
  return EVENT_TYPE.test(fields.get('content-type') ?? '')
}

/** The call as an HTTP API's event, payload format 2.0. */
export function httpEvent(
  call: Pick<CallHead, 'id' | 'method' | 'target'>,
  fields: ReadonlyMap<string, string>,
  body: Buffer,
  now: number,
): string {
  const { id, method, target } = call
  const question = target.indexOf('?')
  const path = question === -1 ? target : target.slice(0, question)
  const query = question === -1 ? '' : target.slice(question + 1)
  const isText = TEXT_TYPE.test(fields.get('content-type') ?? '')
  const cookie = fields.get('cookie')
  return JSON.stringify({
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    ...(cookie !== undefined && { cookies: cookie.split(/;\s*/) }),
    headers: Object.fromEntries([...fields].filter(([name]) => name !== 'cookie')),
    ...(query !== '' && { queryStringParameters: joined(new URLSearchParams(query)) }),
    requestContext: {
      accountId: '',
      apiId: '',
      domainName: fields.get('host') ?? '',
      http: {
        method,
        path,
        protocol: 'HTTP/1.1',
        sourceIp: fields.get('x-forwarded-for')?.split(',')[0]!.trim() ?? '',
        userAgent: fields.get('user-agent') ?? '',
      },
      requestId: id,
      routeKey: '$default',
      stage: '$default',
      time: new Date(now).toUTCString(),
      timeEpoch: now,
    },
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  })
}

const TEXT_TYPE = /^(text\/|application\/(json|xml|javascript|x-www-form-urlencoded|[\w.+-]+\+(json|xml))\b)/i

function joined(pairs: URLSearchParams): Record<string, string> {
  const result = new Map<string, string>()
  for (const [name, value] of pairs) {
    const before = result.get(name)
    result.set(name, before === undefined ? value : `${before},${value}`)
  }
  return Object.fromEntries(result)
}

/** The client context that a caller sent (base64 of JSON), as runtimes are given it; `undefined` when it is none. */
export function clientContextOf(fields: ReadonlyMap<string, string>): string | undefined {
  const sent = fields.get('x-amz-client-context')
  if (sent === undefined || sent.length > CONTEXT_CHARACTERS_MAX) return undefined
  try {
    const context: unknown = JSON.parse(Buffer.from(sent, 'base64').toString('utf8'))
    // Headers are no place for other characters than ASCII's.
    return JSON.stringify(context).replaceAll(/[^\x20-\x7e]/g, escaped)
  } catch {
    return undefined
  }
}

const CONTEXT_CHARACTERS_MAX = 8 * 1024

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}

/** The trace that a call belongs to, as X-Ray writes it; `undefined` when the caller said nothing of one. */
export function traceIdOf(fields: ReadonlyMap<string, string>): string | undefined {
  const sent = fields.get('x-amzn-trace-id')
  if (sent !== undefined && /^[\w=;:.-]{1,500}$/.test(sent)) return sent
  const [, trace, parent, flags] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(fields.get('traceparent') ?? '') ?? []
  if (trace === undefined) return undefined
  const sampled = Number.parseInt(flags!, 16) & 1
  return `Root=1-${trace.slice(0, 8)}-${trace.slice(8)};Parent=${parent};Sampled=${sampled}`
}
