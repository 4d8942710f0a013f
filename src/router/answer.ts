import { ownText } from '../core/index.ts'

/** A function's answer head, checked and freed of what is not the function's to say. */
export interface AnswerHead {
  readonly headers: string[]
  /** The Content-Length it gave; the front frames the body, and a body that differs is broken off. */
  readonly declared: number | undefined
}

/**
 * Reads the head; a string says what is wrong with it. `ownsCors`: the trigger speaks for the function. `ownsHost`: no other
 * project answers on the host, and the function may tell browsers what holds for all of it. `raw` must not change
 * afterwards: a function mostly gives the same head again, and then it comes as the same array.
 */
export function readAnswer(
  status: number,
  raw: readonly string[],
  ownsCors: boolean,
  ownsHost: boolean,
): AnswerHead | string {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    return `the status ${status} is not between 200 and 599`
  if (raw !== last?.raw || ownsCors !== last.ownsCors || ownsHost !== last.ownsHost) {
    const head = readFields(raw, ownsCors, ownsHost)
    if (typeof head === 'string') return head
    last = { raw, ownsCors, ownsHost, head }
  }
  const { headers, declared } = last.head
  return { headers: headers.slice(), declared }
}

let last:
  | {
      readonly raw: readonly string[]
      readonly ownsCors: boolean
      readonly ownsHost: boolean
      readonly head: AnswerHead
    }
  | undefined

function readFields(raw: readonly string[], ownsCors: boolean, ownsHost: boolean): AnswerHead | string {
  const headers: string[] = []
  let declared: number | undefined
  let listed: Set<string> | undefined
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const field = fieldOf(raw[i]!)
    const value = raw[i + 1]!
    if (field.kind === 'invalid') return 'the name of a header is not a token'
    if (!VALUE.test(value)) return `the header "${field.name}" holds a control character`
    if (field.kind === 'pass') headers.push(field.name, value)
    else if (field.kind === 'length') {
      if (declared !== undefined || !LENGTH.test(value)) return 'its Content-Length is not one number'
      declared = Number(value)
    } else if (field.kind === 'connection') {
      listed ??= new Set()
      for (const token of value.split(',')) listed.add(token.trim().toLowerCase())
    } else if (field.kind === 'cors' ? !ownsCors : field.kind === 'host' && ownsHost)
      headers.push(field.name, value)
  }
  if (!listed) return { headers, declared }
  return { headers: headers.filter((_, i) => !listed.has(headers[i & ~1]!)), declared }
}

type Kind = 'pass' | 'drop' | 'length' | 'connection' | 'cors' | 'host' | 'invalid'

interface Field {
  readonly name: string
  readonly kind: Kind
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
const LENGTH = /^\d{1,15}$/
const RESERVED = /^(?:x-)?atelier-/
const CORS = /^access-control-(?:allow|expose|max)-/
const DROPPED = new Set([
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
/**
 * What browsers take for the whole host, and keep: a worker that answers for all its pages, where every request to it is
 * reported, that its cookies go, that it is reached otherwise.
 */
const OF_THE_HOST = new Set([
  'alt-svc',
  'clear-site-data',
  'nel',
  'report-to',
  'service-worker-allowed',
  'strict-transport-security',
])

const CACHE_SIZE_MAX = 1_024
const CACHED_LENGTH_MAX = 64
const cache = new Map<string, Field>()

function fieldOf(spelled: string): Field {
  const known = cache.get(spelled)
  if (known) return known
  const name = spelled.toLowerCase()
  const kind = kindOf(name)
  if (cache.size >= CACHE_SIZE_MAX || spelled.length > CACHED_LENGTH_MAX) return { name, kind }
  const field = { name: ownText(name), kind }
  cache.set(ownText(spelled), field)
  return field
}

function kindOf(name: string): Kind {
  if (!TOKEN.test(name)) return 'invalid'
  if (DROPPED.has(name) || RESERVED.test(name)) return 'drop'
  if (name === 'content-length') return 'length'
  if (name === 'connection') return 'connection'
  if (OF_THE_HOST.has(name)) return 'host'
  return CORS.test(name) ? 'cors' : 'pass'
}
