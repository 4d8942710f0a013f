import { AtelierError, type Clock, type EventTrigger, newId } from '../core/index.ts'
import type { EventStore } from '../store/index.ts'
import type { HookRequest, RecordedRequest } from './kind.ts'
import type { Outcome, RecordLimits, RequestLog, StoredRequest } from './request-log.ts'

export interface StoredRequestsOptions {
  readonly store: EventStore
  readonly clock: Clock
  readonly onProblem: (message: string, cause: unknown) => void
}

/** Requests of all triggers in the event store. */
export interface StoredRequests extends RequestLog {
  /** Forgets what came to triggers that are gone. Never rejects. */
  forget(triggerIds: readonly string[]): Promise<void>
  /** The triggers that something is kept of. */
  triggerIds(): Promise<readonly string[]>
  /** Writes what is left. */
  close(): Promise<void>
}

/** They are kept in the store of the event plane, written behind. */
export function storedRequests(options: StoredRequestsOptions): StoredRequests {
  return new RequestsInStore(options)
}

/** Bytes kept for one project; older requests go first. */
const PROJECT_BYTES_MAX = 64 * 1024 ** 2
const WRITE_EVERY_MS = 250
/** What waits to be written; more is not kept. */
const WAITING_MAX = 500
const WAITING_BYTES_MAX = 16 * 1024 ** 2
const EXPIRE_EVERY_MS = 60_000
const TEXT_BYTES_SHOWN = 4_096
const DETAIL_LENGTH_MAX = 500
const PROJECT_ROWS_AT_ONCE = 500

interface Waiting {
  readonly row: ReturnType<typeof rowOf>
  readonly keep: number
}

class RequestsInStore implements StoredRequests {
  readonly #options: StoredRequestsOptions
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #cancelTimer: (() => void) | undefined
  #turn: Promise<void> = Promise.resolve()
  #cancelExpiry: () => void

  constructor(options: StoredRequestsOptions) {
    this.#options = options
    this.#cancelExpiry = this.#expireIn(EXPIRE_EVERY_MS)
  }

  add(trigger: EventTrigger, limits: RecordLimits, request: HookRequest, what: Outcome): void {
    if (limits.requests === 0) return
    const row = rowOf(this.#options.clock.now(), trigger, limits, request, what)
    const bytes = row.kept_bytes
    if (this.#waiting.length >= WAITING_MAX || this.#waitingBytes + bytes > WAITING_BYTES_MAX) return
    this.#waiting.push({ row, keep: limits.requests })
    this.#waitingBytes += bytes
    this.#cancelTimer ??= this.#options.clock.after(WRITE_EVERY_MS, () => void this.#flush())
  }

  async list(trigger: EventTrigger, limit: number): Promise<readonly RecordedRequest[]> {
    await this.#flush()
    const { store, clock } = this.#options
    const rows = await store.db
      .selectFrom('hook_requests')
      .select(['id', 'received_at', 'head_json', 'body_bytes', 'outcome', 'detail', 'call_id'])
      .select(select =>
        select
          .fn<Uint8Array>('substr', ['body', select.lit(1), select.lit(TEXT_BYTES_SHOWN)])
          .as('beginning'),
      )
      .where('trigger_id', '=', trigger.id)
      .where('expires_at', '>', clock.now())
      .orderBy('id', 'desc')
      .limit(limit)
      .execute()
    return rows.map(row => {
      const { method, path, query, remoteAddress, headers } = headOf(row.head_json)
      return {
        id: row.id,
        receivedAt: row.received_at,
        method,
        path: path + query,
        remoteAddress,
        headers,
        bodyText: Buffer.from(row.beginning).toString(),
        bodyBytes: row.body_bytes,
        outcome: row.outcome,
        ...(row.detail !== null && { detail: row.detail }),
        ...(row.call_id !== null && { callId: row.call_id }),
      }
    })
  }

  async find(trigger: EventTrigger, id: string): Promise<StoredRequest> {
    await this.#flush()
    const { store, clock } = this.#options
    const row = await store.db
      .selectFrom('hook_requests')
      .selectAll()
      .where('id', '=', id)
      .where('trigger_id', '=', trigger.id)
      .where('expires_at', '>', clock.now())
      .executeTakeFirst()
    if (!row)
      throw new AtelierError('NOT_FOUND', `Trigger "${trigger.name}" keeps no request "${id.slice(0, 40)}".`)
    if (row.body.length < row.body_bytes)
      throw new AtelierError(
        'CONFLICT',
        `Only ${row.body.length} of the ${row.body_bytes} bytes of this body were kept; raise record.bodyBytesMax.`,
      )
    return { ...headOf(row.head_json), body: row.body, receivedAt: row.received_at }
  }

  forget(triggerIds: readonly string[]): Promise<void> {
    return this.#later(async () => {
      const gone = new Set(triggerIds)
      this.#waiting = this.#waiting.filter(({ row }) => !gone.has(row.trigger_id))
      for (const id of gone)
        await this.#options.store.db.deleteFrom('hook_requests').where('trigger_id', '=', id).execute()
    })
  }

  async triggerIds(): Promise<readonly string[]> {
    const { store } = this.#options
    const rows = await store.db.selectFrom('hook_requests').select('trigger_id').distinct().execute()
    return rows.map(row => row.trigger_id)
  }

  async close(): Promise<void> {
    this.#cancelExpiry()
    await this.#flush()
  }

  /** What is too old goes, whether or not anything new comes. */
  #expireIn(ms: number): () => void {
    return this.#options.clock.after(ms, () => {
      void this.#later(async () => {
        const { store, clock } = this.#options
        await store.db.deleteFrom('hook_requests').where('expires_at', '<=', clock.now()).execute()
      })
      this.#cancelExpiry = this.#expireIn(EXPIRE_EVERY_MS)
    })
  }

  /** After what is under way. Never rejects. */
  #later(work: () => Promise<void>): Promise<void> {
    this.#turn = this.#turn
      .then(work)
      .catch((error: unknown) =>
        this.#options.onProblem('requests to triggers could not be forgotten', error),
      )
    return this.#turn
  }

  /** Never rejects: a request that could not be kept is no reason to fail the next thing. */
  #flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#turn = this.#turn.then(async () => {
      const waiting = this.#waiting
      this.#waiting = []
      this.#waitingBytes = 0 // also where all of them were forgotten
      if (waiting.length === 0) return
      try {
        await this.#write(waiting)
      } catch (error) {
        this.#options.onProblem('requests to triggers could not be recorded', error)
      }
    })
    return this.#turn
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    const { store } = this.#options
    await store.transaction(
      async tx => {
        for (const { row } of waiting) await tx.insertInto('hook_requests').values(row).execute()
        const keeps = new Map(waiting.map(({ row, keep }) => [row.trigger_id, keep]))
        for (const [triggerId, keep] of keeps) {
          const oldest = await tx
            .selectFrom('hook_requests')
            .select('id')
            .where('trigger_id', '=', triggerId)
            .orderBy('id', 'desc')
            .limit(1)
            .offset(keep)
            .executeTakeFirst()
          if (!oldest) continue
          await tx
            .deleteFrom('hook_requests')
            .where('trigger_id', '=', triggerId)
            .where('id', '<=', oldest.id)
            .execute()
        }
        for (const projectId of new Set(waiting.map(({ row }) => row.project_id))) {
          const total = await tx
            .selectFrom('hook_requests')
            .select(select => select.fn.sum<number | string | null>('kept_bytes').as('bytes'))
            .where('project_id', '=', projectId)
            .executeTakeFirstOrThrow()
          let over = Number(total.bytes ?? 0) - PROJECT_BYTES_MAX
          if (over <= 0) continue
          const rows = await tx
            .selectFrom('hook_requests')
            .select(['id', 'kept_bytes'])
            .where('project_id', '=', projectId)
            .orderBy('id')
            .limit(PROJECT_ROWS_AT_ONCE)
            .execute()
          const last = rows.find(row => (over -= row.kept_bytes) <= 0) ?? rows.at(-1)!
          await tx
            .deleteFrom('hook_requests')
            .where('project_id', '=', projectId)
            .where('id', '<=', last.id)
            .execute()
        }
      },
      { relaxed: true },
    )
  }
}

function rowOf(
  now: number,
  trigger: EventTrigger,
  limits: RecordLimits,
  request: HookRequest,
  what: Outcome,
) {
  const { method, path, query, remoteAddress, headers } = request
  // A copy: a view would keep the whole body in memory.
  const body = Uint8Array.from(request.body.subarray(0, limits.bodyBytesMax))
  const head = JSON.stringify([method, path, query, remoteAddress, ...headers])
  return {
    id: newId(now),
    trigger_id: trigger.id,
    project_id: trigger.projectId,
    received_at: request.receivedAt,
    expires_at: now + limits.keptMs,
    head_json: head,
    body,
    kept_bytes: body.length + Buffer.byteLength(head),
    body_bytes: request.body.length,
    outcome: what.outcome,
    detail: what.detail?.slice(0, DETAIL_LENGTH_MAX) ?? null,
    call_id: what.callId ?? null,
  }
}

function headOf(json: string) {
  const [method, path, query, remoteAddress, ...headers] = JSON.parse(json) as string[]
  return { method: method!, path: path!, query: query!, remoteAddress: remoteAddress!, headers }
}
