import { createHash } from 'node:crypto'
import type { Selectable } from 'kysely'
import type { AsyncCall, AsyncState, Destination } from '../core/index.ts'
import type { EventTables } from '../store/index.ts'
import type { NewAsyncCall } from './async.ts'
import type { Failure } from './retry.ts'

export type CallRow = Selectable<EventTables['async_calls']>

/** What a call asks for itself, where that differs from its function's settings. */
export interface CallOptions {
  readonly onSuccess?: Destination | null
  readonly onFailure?: Destination | null
  readonly maxAgeMs?: number
  readonly attemptsMax?: number
  readonly traceparent?: string
  /** How many destinations have led here from the first call. */
  readonly hops?: number
  /** Somebody outside may be given it. */
  readonly reservable?: true
  /** Somebody outside was given it until this time; it still holds while the call is due then. Epoch ms. */
  readonly reservedUntil?: number
}

export function optionsJson(call: NewAsyncCall, hops: number): string | null {
  const { onSuccess, onFailure, maxAgeMs, attemptsMax, traceparent } = call
  const options: { [K in keyof CallOptions]: CallOptions[K] | undefined } = {
    onSuccess,
    onFailure,
    maxAgeMs,
    attemptsMax,
    traceparent,
    ...(hops > 0 && { hops }),
    ...(call.reservable && { reservable: true }),
  }
  const text = JSON.stringify(options)
  return text === '{}' ? null : text
}

export function optionsOf(row: Pick<CallRow, 'options_json'>): CallOptions {
  return row.options_json === null ? {} : (JSON.parse(row.options_json) as CallOptions)
}

/** Internal states as people know them. */
export function stateOf(state: CallRow['state']): AsyncState {
  return state === 'blocked' ? 'queued' : state
}

export function callOf(row: CallRow): AsyncCall {
  const failure = row.failure_json === null ? undefined : (JSON.parse(row.failure_json) as Failure)
  return {
    id: row.id,
    projectId: row.project_id,
    functionId: row.function_id,
    appName: row.app_name,
    functionName: row.function_name,
    ...(row.qualifier !== null && { qualifier: row.qualifier }),
    trigger: row.trigger_kind,
    ...(row.trigger_name !== null && { triggerName: row.trigger_name }),
    state: stateOf(row.state),
    attempts: row.attempts + (row.state === 'running' ? 1 : 0),
    acceptedAt: row.accepted_at,
    dueAt: row.due_at,
    ...(row.started_at !== null && { startedAt: row.started_at }),
    ...(row.ended_at !== null && { endedAt: row.ended_at }),
    ...(row.kept_until !== null && { keptUntil: row.kept_until }),
    ...(row.ordering_key !== null && { orderingKey: row.ordering_key }),
    ...(failure && { lastFailure: { kind: failure.kind, code: failure.code, message: failure.message } }),
    httpStatus: row.http_status,
    resultBytes: row.result_bytes,
  }
}

/** Keys are compared byte by byte in every database, however long: by their hash. */
export function keyHash(key: string): string {
  return createHash('sha256').update(key).digest('hex')
}
