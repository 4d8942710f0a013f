import { ASYNC_FIELDS } from '../async/index.ts'
import { ownText } from '../core/index.ts'

/** What becomes of a request's header field, by its name. */
export type FieldKind =
  | 'pass'
  | 'drop'
  | 'host'
  | 'origin'
  | 'authorization'
  | 'auth-token'
  | 'service-token'
  | 'traceparent'
  | 'tracestate'
  | 'requested-method'
  | 'requested-headers'
  | 'websocket-protocol'
  | 'forwarded'
  | 'prefer'
  | 'idempotency-key'
  | 'async-option'
  | 'transfer-encoding'
  | 'connection'

export interface Field {
  /** Lower case. */
  readonly name: string
  readonly kind: FieldKind
}

/**
 * The field of a name as a client spelled it. Names that differ from one of the platform's only by `_` for `-` are
 * dropped: CGI and WSGI make both the same variable, so they would speak with the platform's voice.
 */
export function fieldOf(spelled: string): Field {
  const known = cache.get(spelled)
  if (known) return known
  const name = spelled.toLowerCase()
  const kind = kindOf(name)
  if (cache.size >= CACHE_SIZE_MAX || spelled.length > CACHED_LENGTH_MAX) return { name, kind }
  const field = { name: ownText(name), kind }
  cache.set(ownText(spelled), field)
  return field
}

function kindOf(name: string): FieldKind {
  const kind = KINDS.get(name)
  if (kind) return kind
  const dashed = name.replaceAll('_', '-')
  if (RESERVED.test(dashed)) return 'drop'
  return dashed !== name && KINDS.has(dashed) ? 'drop' : 'pass'
}

// Clients repeat a few dozen spellings; one who makes up new ones only misses the cache.
const CACHE_SIZE_MAX = 1_024
const CACHED_LENGTH_MAX = 64
const cache = new Map<string, Field>()

const RESERVED = /^(?:x-)?atelier-/

const KINDS = new Map<string, FieldKind>([
  ['host', 'host'],
  ['origin', 'origin'],
  ['authorization', 'authorization'],
  ['x-auth-token', 'auth-token'],
  ['x-service-token', 'service-token'],
  ['prefer', 'prefer'],
  ['idempotency-key', 'idempotency-key'],
  ...ASYNC_FIELDS.map(name => [name, 'async-option'] as const),
  ['traceparent', 'traceparent'],
  ['tracestate', 'tracestate'],
  ['access-control-request-method', 'requested-method'],
  ['access-control-request-headers', 'requested-headers'],
  ['sec-websocket-protocol', 'websocket-protocol'],
  ['forwarded', 'forwarded'],
  ['x-forwarded-for', 'forwarded'],
  ['x-forwarded-host', 'forwarded'],
  ['x-forwarded-proto', 'forwarded'],
  ['x-forwarded-port', 'forwarded'],
  ['x-forwarded-prefix', 'forwarded'],
  ['x-forwarded-server', 'forwarded'],
  ['x-real-ip', 'forwarded'],
  ['transfer-encoding', 'transfer-encoding'],
  ['connection', 'connection'],
  // Hop by hop (RFC 9110, 7.6.1), and what the front has dealt with.
  ['keep-alive', 'drop'],
  ['proxy-authenticate', 'drop'],
  ['proxy-authorization', 'drop'],
  ['proxy-connection', 'drop'],
  ['te', 'drop'],
  ['trailer', 'drop'],
  ['upgrade', 'drop'],
  ['http2-settings', 'drop'],
  ['expect', 'drop'],
  ['sec-websocket-key', 'drop'],
  ['sec-websocket-version', 'drop'],
  ['sec-websocket-extensions', 'drop'],
  // Becomes HTTP_PROXY in CGI-like functions, which then send their requests to the attacker.
  ['proxy', 'drop'],
])
