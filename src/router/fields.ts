import { HeaderBlock } from '../contracts/index.ts'
import { AtelierError } from '../core/index.ts'
import { type FieldKind, fieldOf } from './field-kinds.ts'

/**
 * What the router needs of a request's header fields, and what of them the function may see. Hop-by-hop fields, those
 * that `Connection` lists, and names that only the platform may say are gone; see `field-kinds.ts`. Once read they do not
 * change, so that they serve all requests of a connection that say the same.
 */
export class RequestFields {
  /** Name, value, …; lower-case names. Without host, credentials and forwarding fields, which `seal` adds. */
  readonly #passed: string[] = []
  host: string | undefined
  origin: string | undefined
  authorization: string | undefined
  authToken: string | undefined
  /** Of another service, which passes on what its own caller asked. */
  serviceToken: string | undefined
  traceparent: string | undefined
  tracestate: string | undefined
  /** Of a CORS preflight. */
  requestedMethod: string | undefined
  requestedHeaders: string | undefined
  webSocketProtocols: string | undefined
  prefer: string | undefined
  idempotencyKey: string | undefined
  /** What the request says of an asynchronous call, by name; see `readAsyncOptions`. */
  asyncOptions: Map<string, string> | undefined
  /** The token that `shownToken` found. */
  shown: ShownToken | undefined
  readonly #forwarded: Partial<Record<ForwardedField, string>> = {}
  #listed: Set<string> | undefined
  #sealed: Sealed | undefined

  /** Throws INVALID_INPUT for what is said twice and must not be, NOT_IMPLEMENTED for an unknown transfer coding. */
  constructor(rawHeaders: readonly string[]) {
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const field = fieldOf(rawHeaders[i]!)
      const value = rawHeaders[i + 1]!
      if (field.kind === 'pass') this.#passed.push(field.name, value)
      else this.#take(field.kind, field.name, value)
    }
    if (this.#listed) this.#removeListed(this.#listed)
  }

  /** As `complete`, ready to be sent; the same as the last time where nothing about it has changed. */
  seal(from: CameFrom, host: string, trustForwarded: boolean, spent: Credential | undefined): HeaderBlock {
    const last = this.#sealed
    const address = from.remoteAddress
    if (last && last.host === host && last.address === address && last.spent === spent) return last.block
    const block = new HeaderBlock(this.complete(from, host, trustForwarded, spent))
    this.#sealed = { address, host, spent, block }
    return block
  }

  /**
   * The complete fields for the function. `host` and `from` are what this request really came by; `spent` is the
   * credential that was the platform's and is not for the function.
   */
  complete(from: CameFrom, host: string, trustForwarded: boolean, spent?: Credential): string[] {
    const { remoteAddress: address, scheme } = from
    const fields = [...this.#passed]
    const before = trustForwarded ? this.#forwarded : NOTHING
    const node = address.includes(':') ? `"[${address}]"` : address
    const forwarded = `for=${node};host="${host}";proto=${scheme}`
    const chain = before['x-forwarded-for']
    fields.push(
      'host',
      host,
      'x-forwarded-for',
      chain === undefined ? address : `${chain}, ${address}`,
      'x-forwarded-proto',
      before['x-forwarded-proto'] ?? scheme,
      'x-forwarded-host',
      before['x-forwarded-host'] ?? host,
      'forwarded',
      before.forwarded === undefined ? forwarded : `${before.forwarded}, ${forwarded}`,
    )
    // Without its traceparent it says nothing (W3C Trace Context, 3.3.1).
    if (this.tracestate !== undefined && this.traceparent !== undefined)
      fields.push('tracestate', this.tracestate)
    if (this.authorization !== undefined && spent !== 'authorization')
      fields.push('authorization', this.authorization)
    if (this.authToken !== undefined && spent !== 'x-auth-token') fields.push('x-auth-token', this.authToken)
    // It vouches for the token: where that is not the function's, neither is this.
    if (this.serviceToken !== undefined && spent === undefined)
      fields.push('x-service-token', this.serviceToken)
    if (this.prefer !== undefined) fields.push('prefer', this.prefer)
    if (this.origin !== undefined) fields.push('origin', this.origin)
    if (this.requestedMethod !== undefined) fields.push('access-control-request-method', this.requestedMethod)
    if (this.requestedHeaders !== undefined)
      fields.push('access-control-request-headers', this.requestedHeaders)
    if (this.webSocketProtocols !== undefined) fields.push('sec-websocket-protocol', this.webSocketProtocols)
    return fields
  }

  #take(kind: Exclude<FieldKind, 'pass'>, name: string, value: string): void {
    switch (kind) {
      case 'drop':
        return
      case 'host':
        this.host = once(this.host, name, value)
        return
      case 'origin':
        this.origin = once(this.origin, name, value)
        return
      case 'authorization':
        this.authorization = once(this.authorization, name, value)
        return
      case 'auth-token':
        this.authToken = once(this.authToken, name, value)
        return
      case 'service-token':
        this.serviceToken = once(this.serviceToken, name, value)
        return
      case 'traceparent':
        // Said twice is not well formed (W3C Trace Context, 3.2), and so begins anew.
        this.traceparent = join(this.traceparent, value)
        return
      case 'tracestate':
        this.tracestate = join(this.tracestate, value)
        return
      case 'requested-method':
        this.requestedMethod = once(this.requestedMethod, name, value)
        return
      case 'requested-headers':
        this.requestedHeaders = join(this.requestedHeaders, value)
        return
      case 'websocket-protocol':
        this.webSocketProtocols = join(this.webSocketProtocols, value)
        return
      case 'prefer':
        this.prefer = join(this.prefer, value)
        return
      case 'idempotency-key':
        this.idempotencyKey = once(this.idempotencyKey, name, value)
        this.#passed.push(name, value)
        return
      case 'async-option':
        this.asyncOptions ??= new Map()
        this.asyncOptions.set(name, once(this.asyncOptions.get(name), name, value))
        return
      case 'forwarded':
        if (isForwardedField(name)) this.#forwarded[name] = join(this.#forwarded[name], value)
        return
      case 'transfer-encoding':
        // The front has taken "chunked" off; any other coding would reach the function unnamed.
        if (value.toLowerCase() !== 'chunked')
          throw new AtelierError(
            'NOT_IMPLEMENTED',
            'Only the transfer coding "chunked" is understood; use Content-Encoding.',
          )
        return
      case 'connection':
        if (!COMMON_CONNECTION.test(value)) this.#list(value)
        return
    }
  }

  #list(value: string): void {
    this.#listed ??= new Set()
    for (const token of value.split(',')) this.#listed.add(token.trim().toLowerCase())
  }

  #removeListed(listed: ReadonlySet<string>): void {
    const passed = this.#passed
    const kept = passed.filter((_, i) => !listed.has(passed[i & ~1]!))
    passed.length = 0
    passed.push(...kept)
  }
}

/** Who sent a request, and how it came. */
export interface CameFrom {
  readonly remoteAddress: string
  readonly scheme: 'http' | 'https'
}

/** The caller's token, and the field that it came in, which the function must never see: the one that is not used is the function's. */
export interface ShownToken {
  readonly token: string
  readonly hash: string
  readonly field: Credential
}

export type Credential = 'authorization' | 'x-auth-token'

interface Sealed {
  readonly address: string
  readonly host: string
  readonly spent: Credential | undefined
  readonly block: HeaderBlock
}

type ForwardedField = 'x-forwarded-for' | 'x-forwarded-proto' | 'x-forwarded-host' | 'forwarded'
const NOTHING: Partial<Record<ForwardedField, string>> = {}
const COMMON_CONNECTION = /^(?:keep-alive|close|upgrade|keep-alive, upgrade)$/i

function isForwardedField(name: string): name is ForwardedField {
  return (
    name === 'x-forwarded-for' ||
    name === 'x-forwarded-proto' ||
    name === 'x-forwarded-host' ||
    name === 'forwarded'
  )
}

function join(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before}, ${value}`
}

function once(before: string | undefined, name: string, value: string): string {
  if (before === undefined) return value
  throw new AtelierError('INVALID_INPUT', `The header "${name}" was sent more than once; send it once.`)
}
