import type { Principal } from '../core/index.ts'
import { checkAccess, takeToken } from './access.ts'
import { RequestFields } from './fields.ts'
import type { RequestHead } from './front.ts'
import type { Plane } from './plane.ts'
import { type Resolved, resolve } from './resolve.ts'
import { hostName, readTarget, type Target } from './target.ts'
import { traceparentOf } from './trace.ts'

/** A request that is understood: where it goes and what was said with it. */
export interface Reading {
  readonly head: RequestHead
  readonly fields: RequestFields
  readonly target: Target
}

/** Throws what is wrong with the request as a catalogue error. */
export function read(head: RequestHead): Reading {
  const fields = new RequestFields(head.rawHeaders)
  return { head, fields, target: readTarget(head.method, head.target, fields.host) }
}

/** Throws NOT_FOUND or METHOD_NOT_ALLOWED. A preflight is resolved as the request that it asks about. */
export function locate(plane: Plane, { target, head }: Reading, method = head.method): Resolved {
  return resolve(plane.table, plane.index, hostName(target.host), method, target.path)
}

/**
 * Checks who calls a private function: `undefined` when it may go on at once (public, or a cached token), else a
 * promise. Throws, or rejects with, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND or UNAVAILABLE.
 */
export function authorise(
  plane: Plane,
  resolved: Resolved,
  fields: RequestFields,
): Promise<void> | undefined {
  if (!resolved.isPrivate) return undefined
  const token = takeToken(fields)
  const cached = plane.identity.cached(token)
  if (!cached)
    return plane.identity.authenticate(token).then((who: Principal) => checkAccess(who, resolved.function))
  checkAccess(cached, resolved.function)
  return undefined
}

/** The parts of an InvokeRequest that come from the head. */
export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: readonly string[]
  readonly traceparent: string
}

export function outgoing(plane: Plane, resolved: Resolved, { head, fields, target }: Reading): Outgoing {
  const traceparent = traceparentOf(fields.traceparent)
  const headers = fields.seal(head, target.host, plane.trustForwarded)
  headers.push('traceparent', traceparent)
  if (fields.tracestate !== undefined && traceparent === fields.traceparent)
    headers.push('tracestate', fields.tracestate)
  for (let i = 0; i < resolved.parameters.length; i++)
    headers.push(PARAMETER_FIELD + resolved.parameters[i]!.toLowerCase(), resolved.values[i]!)
  return { method: head.method, path: resolved.path + target.query, headers, traceparent }
}

/** Path parameters, as in the canonical path: still percent-encoded, so that no character can be mistaken. */
const PARAMETER_FIELD = 'x-atelier-params-'
