import { AtelierError, BODY_BYTES_BUFFERED_MAX, isName, newId, type TableFunction } from '../core/index.ts'
import type { AcceptedCall, NewAsyncCall } from './async.ts'
import type { AsyncContext } from './context.ts'
import type { Lane } from './lanes.ts'
import type { Ledger } from './ledger.ts'
import { type CallRow, keyHash, optionsJson } from './rows.ts'
import type { NewCall } from './turn.ts'

const IDEMPOTENCY_WINDOW_MS = 24 * 3_600_000
const KEY_CHARACTERS_MAX = 255
const CALLS_MAX = 10_000 // of one acceptance: it is one transaction

/** The door of the queue: checks what comes, counts it, and hands it to the ledger. */
export class Intake {
  readonly #context: AsyncContext
  readonly #ledger: Ledger
  readonly counters = { accepted: 0, refused: 0 }
  #pendingBytes = 0
  #isStopping = false

  constructor(context: AsyncContext, ledger: Ledger) {
    this.#context = context
    this.#ledger = ledger
  }

  async accept(calls: readonly NewAsyncCall[], hops: number): Promise<readonly AcceptedCall[]> {
    const taken: NewCall[] = []
    let bytes = 0
    try {
      if (this.#isStopping)
        throw new AtelierError('UNAVAILABLE', 'The server is stopping; try again in a moment.', {
          retryAfterS: 1,
        })
      if (calls.length > CALLS_MAX)
        throw new AtelierError(
          'INVALID_INPUT',
          `${calls.length} calls at once are too many; at most ${CALLS_MAX}.`,
        )
      for (const call of calls) {
        const target = this.#check(call)
        const callBytes = bytesOf(call)
        const refusal = this.#context.lanes.refusal(target, 1, callBytes) ?? this.#flood(bytes + callBytes)
        if (refusal) throw refusal
        bytes += callBytes
        taken.push(this.#take(call, target, callBytes, hops))
      }
    } catch (error) {
      for (const call of taken) this.#untake(call)
      this.counters.refused += calls.length
      throw error
    }
    this.#pendingBytes += bytes
    try {
      const accepted = await this.#ledger.accept(taken)
      this.counters.accepted += taken.length
      return accepted
    } catch (error) {
      for (const call of taken) this.#untake(call)
      this.counters.refused += calls.length
      throw error
    } finally {
      this.#pendingBytes -= bytes
    }
  }

  stop(): void {
    this.#isStopping = true
  }

  #check(call: NewAsyncCall): TableFunction {
    const bodyBytes = call.body?.length ?? 0
    const target = this.#context.table.functions.get(call.functionId)
    if (target?.projectId !== call.projectId)
      throw new AtelierError(
        'NOT_FOUND',
        `There is no function ${JSON.stringify(call.functionId)} in this project.`,
      )
    // What no row can hold would fail for all whose calls are written down with it.
    if (call.qualifier !== undefined && !isName(call.qualifier))
      throw new AtelierError(
        'NOT_FOUND',
        `Function "${target.appName}/${target.name}" has no version or alias ${JSON.stringify(call.qualifier.slice(0, 63))}.`,
      )
    if (bodyBytes > BODY_BYTES_BUFFERED_MAX)
      throw new AtelierError(
        'BODY_TOO_LARGE',
        `The body has ${bodyBytes} bytes; an asynchronous call may have ${BODY_BYTES_BUFFERED_MAX}.`,
      )
    for (const [name, key] of [
      ['ordering key', call.orderingKey],
      ['idempotency key', call.idempotencyKey],
    ] as const)
      if (key !== undefined && (key.length === 0 || key.length > KEY_CHARACTERS_MAX || key.includes('\0')))
        throw new AtelierError(
          'INVALID_INPUT',
          `The ${name} must have 1 to ${KEY_CHARACTERS_MAX} characters, none of them NUL.`,
        )
    return target
  }

  #flood(bytes: number): AtelierError | undefined {
    if (this.#pendingBytes + bytes <= this.#context.limits.pendingBytesMax) return undefined
    return new AtelierError('TOO_MANY_REQUESTS', 'More comes than the disk takes; come back in a moment.', {
      retryAfterS: 1,
    })
  }

  #take(call: NewAsyncCall, target: TableFunction, callBytes: number, hops: number): NewCall {
    const { lanes, time, node } = this.#context
    const lane = lanes.of(target.id, target.projectId)
    if (call.reservable) lane.mayBeReserved = true
    const now = time.now()
    const dueAt = Math.max(call.runAt ?? 0, now)
    lanes.add(lane, 1, callBytes)
    // With room and nobody before it, it is leased as it is accepted: it begins as soon as it is durable.
    const begins = dueAt === now && call.orderingKey === undefined && this.#hasTurn(lane)
    if (begins) {
      lanes.add(lane, -1, 0)
      lanes.lease(lane, callBytes)
    }
    const row: CallRow = {
      id: newId(now),
      project_id: target.projectId,
      function_id: target.id,
      app_name: target.appName,
      function_name: target.name,
      qualifier: call.qualifier ?? null,
      trigger_kind: call.trigger,
      trigger_name: call.triggerName ?? null,
      state: begins ? 'running' : 'queued',
      attempts: 0,
      failures: 0,
      recoveries: 0,
      accepted_at: now,
      first_due_at: dueAt,
      due_at: dueAt,
      started_at: begins ? now : null,
      ended_at: null,
      kept_until: null,
      ordering_key: call.orderingKey ?? null,
      owner: begins ? node : null,
      cancel_requested: 0,
      body_bytes: callBytes,
      http_status: 0,
      result_bytes: 0,
      failure_json: null,
      options_json: optionsJson(call, hops),
    }
    return {
      lane,
      row,
      head: [call.method, call.path, ...call.headers],
      body: call.body,
      idempotency:
        call.idempotencyKey === undefined
          ? undefined
          : {
              hash: keyHash(call.idempotencyKey),
              windowMs: call.idempotencyWindowMs ?? IDEMPOTENCY_WINDOW_MS,
            },
    }
  }

  #untake({ lane, row }: NewCall): void {
    const { lanes } = this.#context
    if (row.owner !== null) lanes.release(lane, row.body_bytes)
    lanes.add(lane, row.owner === null ? -1 : 0, -row.body_bytes)
    lanes.tidy(lane)
  }

  /** The one that was just counted is the only one that waits, and may be leased. */
  #hasTurn(lane: Lane): boolean {
    return !this.#isStopping && lane.queued === 1 && this.#context.lanes.roomOf(lane) > 0
  }
}

/** What a call takes in memory and on the disk: its body, and its head. */
function bytesOf({ method, path, headers, body }: NewAsyncCall): number {
  let bytes = method.length + path.length + (body?.length ?? 0)
  for (const text of headers) bytes += text.length
  return bytes
}
