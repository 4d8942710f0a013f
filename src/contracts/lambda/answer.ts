/** What Lambda's runtimes answer, as HTTP. Pure. */
import { HOP_BY_HOP } from '../../core/index.ts'

export interface LambdaAnswer extends AnswerStart {
  readonly body: Buffer
}

export interface AnswerStart {
  readonly status: number
  /** Checked, as `CallSink.onHead` wants them. */
  readonly headers: readonly string[]
}

/** The result of a function that was given an HTTP event. A string says what is wrong with it. */
export function readAnswer(bytes: Buffer): LambdaAnswer | string {
  const result = parsed(bytes)
  if (result === undefined) return 'an answer that is not JSON'
  if (!isRecord(result) || result['statusCode'] === undefined) {
    // Without a status the result is the body.
    if (result === null) return { status: 204, headers: [], body: NOTHING }
    const text = typeof result === 'string' ? result : JSON.stringify(result)
    return { status: 200, headers: JSON_TYPE, body: Buffer.from(text) }
  }
  const body = bodyOf(result)
  const start = startOf(result, body.length > 0)
  return typeof start === 'string' ? start : { ...start, body }
}

/** The JSON that comes before the body of a streamed answer. A string says what is wrong with it. */
export function readPrelude(bytes: Buffer): AnswerStart | string {
  const prelude = bytes.length === 0 ? {} : parsed(bytes)
  if (!isRecord(prelude)) return 'a prelude that is no JSON object'
  return startOf(prelude, true)
}

const NOTHING = Buffer.alloc(0)
const JSON_TYPE: readonly string[] = ['content-type', 'application/json']
const FIELDS_MAX = 256
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/
const NOT_LATIN1 = /[^\0-\xff]/
/** Said by the platform itself, or meant for one connection only. */
const NOT_PASSED_ON = new Set([...HOP_BY_HOP, 'content-length'])

type Json = Readonly<Record<string, unknown>>

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function startOf(from: Json, hasBody: boolean): AnswerStart | string {
  const status = Number(from['statusCode'] ?? 200)
  if (!Number.isInteger(status) || status < 200 || status > 599)
    return `the status code ${JSON.stringify(from['statusCode']).slice(0, 80)}`
  const fields = new Map<string, string[]>()
  for (const [name, value] of entriesOf(from['headers'])) fields.set(name.toLowerCase(), [textOf(value)])
  for (const [name, values] of entriesOf(from['multiValueHeaders']))
    fields.set(name.toLowerCase(), (Array.isArray(values) ? values : [values]).map(textOf))
  const cookies = Array.isArray(from['cookies']) ? from['cookies'].map(textOf) : []
  if (cookies.length > 0) fields.set('set-cookie', [...(fields.get('set-cookie') ?? []), ...cookies])
  if (hasBody && !fields.has('content-type')) fields.set('content-type', ['application/json'])
  const headers: string[] = []
  for (const [name, values] of fields) {
    if (NOT_PASSED_ON.has(name)) continue
    if (!TOKEN.test(name)) return `the header name ${JSON.stringify(name.slice(0, 80))}`
    for (const value of values) {
      if (CONTROL.test(value)) return `a control character in the header ${JSON.stringify(name.slice(0, 80))}`
      headers.push(name, NOT_LATIN1.test(value) ? Buffer.from(value, 'utf8').toString('latin1') : value)
    }
  }
  if (headers.length / 2 > FIELDS_MAX) return `more than ${FIELDS_MAX} headers`
  return { status, headers }
}

function entriesOf(value: unknown): [string, unknown][] {
  return isRecord(value) ? Object.entries(value) : []
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function bodyOf({ body, isBase64Encoded }: Json): Buffer {
  if (body === undefined || body === null) return NOTHING
  return Buffer.from(textOf(body), isBase64Encoded === true ? 'base64' : 'utf8')
}
