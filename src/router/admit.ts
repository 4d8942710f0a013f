import { prefersAsync, takeAsyncMark } from '../async/index.ts'
import type { Principal } from '../core/index.ts'
import { SERVICES } from '../identity/index.ts'
import type { InvokeRequest } from '../invoker/index.ts'
import { checkAccess, shownToken } from './access.ts'
import { type Credential, RequestFields } from './fields.ts'
import type { RequestHead } from './front.ts'
import type { Plane } from './plane.ts'
import { notFound, type Resolved, resolve } from './resolve.ts'
import { hostName, readTarget, type Target } from './target.ts'

/** A request that is understood: where it goes and what was said with it. */
export interface Reading {
  readonly head: RequestHead
  readonly fields: RequestFields
  readonly target: Target
  /** The field whose token was for the platform. */
  spent: Credential | undefined
  /** It wants no more than to be accepted; the answer is for later. */
  readonly isAsync: boolean
}

/** Throws what is wrong with the request as a catalogue error. */
export function read(head: RequestHead): Reading {
  const { memo } = head
  const fields = memo?.fields ?? new RequestFields(head.rawHeaders)
  if (memo) memo.fields = fields
  const target = readTarget(head.method, head.target, fields.host)
  const preferred = prefersAsync(fields.prefer)
  if (!preferred && target.query === '') return { head, fields, target, spent: undefined, isAsync: false }
  const { rest, isAsync } = takeAsyncMark(target.query)
  return { head, fields, target: { ...target, query: rest }, spent: undefined, isAsync: isAsync || preferred }
}

/** Throws NOT_FOUND or METHOD_NOT_ALLOWED. A preflight is resolved as the request that it asks about. */
export function locate(plane: Plane, { target, head }: Reading, method = head.method): Resolved {
  // The platform's own addresses: no route stands in front of them.
  if (target.path.startsWith('/-/')) throw notFound()
  return resolve(plane.table, plane.index, hostName(target.host), method, target.path)
}

/**
 * Checks who calls a private function: `undefined` when it may go on at once (public, or a cached token), else a
 * promise. Throws, or rejects with, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND or UNAVAILABLE.
 */
export function authorise(plane: Plane, resolved: Resolved, reading: Reading): Promise<void> | undefined {
  if (!resolved.isPrivate) return undefined
  const { token, hash, field } = shownToken(reading.fields)
  reading.spent = field
  const cached = plane.identity.cached(token, hash)
  if (!cached)
    return plane.identity
      .authenticate(token, {
        service: SERVICES.router,
        method: reading.head.method,
        path: reading.target.path,
      })
      .then((who: Principal) => checkAccess(who, resolved.function))
  checkAccess(cached, resolved.function)
  return undefined
}

/** The InvokeRequest for a request; `body` and `webSocket` as there. */
export function outgoing(
  plane: Plane,
  resolved: Resolved,
  { head, fields, target, spent }: Reading,
  body: Uint8Array | null | undefined,
  webSocket: boolean,
): InvokeRequest {
  const { traceparent } = fields
  return {
    target: resolved.function,
    qualifier: resolved.qualifier,
    trigger: 'http',
    triggerName: resolved.trigger?.name,
    method: head.method,
    path: resolved.path + target.query,
    headers: parameterFields(resolved),
    block: fields.seal(head, target.host, plane.trustForwarded, spent),
    body,
    webSocket,
    // The invoker continues the trace, or begins one.
    ...(traceparent !== undefined && { traceparent }),
  }
}

/** Header fields that tell the function its path parameters. */
export function parameterFields({ parameters, values }: Resolved): string[] {
  return parameters.flatMap((name, i) => [PARAMETER_FIELD + name.toLowerCase(), values[i]!])
}

/** Path parameters, as in the canonical path: still percent-encoded, so that no character can be mistaken. */
const PARAMETER_FIELD = 'x-atelier-params-'
