import type { Selectable } from 'kysely'
import { type CloudEvent, parseHttp, toHttpBinary } from '../cloudevents/index.ts'
import { AtelierError, type Destination } from '../core/index.ts'
import type { EventTables } from '../store/index.ts'
import type { AcceptedCall, NewAsyncCall } from './async.ts'
import type { AsyncContext } from './context.ts'
import type { AsyncOptions } from './options.ts'

type Row = Selectable<EventTables['async_outbox']>

export interface OutboxWays {
  readonly accept: (call: NewAsyncCall, hops: number) => Promise<readonly AcceptedCall[]>
  readonly publish: AsyncOptions['publish']
  readonly deliverWebhook: NonNullable<AsyncOptions['deliverWebhook']>
  readonly after: (ms: number, callback: () => void) => () => void
  readonly random: () => number
}

const AT_ONCE_MAX = 32
const PER_PROJECT_MAX = 4 // one that does not answer holds up nobody else's
const ROWS_LOOKED_AT = 200
const CLAIM_MS = 60_000 // longer than any delivery takes; after that another try may begin
const RETRY_MS = 1_000
const RETRY_MS_MAX = 3_600_000

/**
 * Brings outcomes to their destinations. A row is written with the end of its call, and goes away when the destination has
 * taken the event, will never take it, or a day has passed. A crash in between delivers again: at least once.
 */
export class Outbox {
  readonly #context: AsyncContext
  readonly #ways: OutboxWays
  readonly #under = new Map<string, Row>()
  readonly #ofProject = new Map<string, number>()
  #isLooking = false
  #isWanted = false
  #isStopped = false
  #wake = (): void => {}
  #looking: Promise<void> = Promise.resolve()
  readonly #idle: (() => void)[] = []

  constructor(context: AsyncContext, ways: OutboxWays) {
    this.#context = context
    this.#ways = ways
  }

  /** There may be something to deliver. */
  kick(): void {
    this.#isWanted = true
    if (this.#isLooking || this.#isStopped) return
    this.#isLooking = true
    this.#looking = this.#look()
  }

  stop(): void {
    this.#isStopped = true
    this.#wake()
  }

  /** Resolves when no delivery is under way. */
  async closed(): Promise<void> {
    await this.#looking
    if (this.#under.size > 0) await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  async #look(): Promise<void> {
    try {
      while (this.#isWanted && !this.#isStopped) {
        this.#isWanted = false
        await this.#begin()
      }
    } catch (error) {
      if (!this.#isStopped)
        this.#context.onProblem('Outcomes of asynchronous calls cannot be delivered now.', error)
      this.#wakeAfter(RETRY_MS)
    } finally {
      this.#isLooking = false
    }
  }

  async #begin(): Promise<void> {
    const { store, time } = this.#context
    if (this.#under.size >= AT_ONCE_MAX) return
    const now = time.dueNow()
    const busy = [...this.#ofProject].flatMap(([id, count]) => (count < PER_PROJECT_MAX ? [] : [id]))
    const rows = await store.db
      .selectFrom('async_outbox')
      .selectAll()
      .$if(busy.length > 0, query => query.where('project_id', 'not in', busy))
      .orderBy('due_at')
      .limit(ROWS_LOOKED_AT)
      .execute()
    for (const row of rows) {
      if (row.due_at > now || this.#under.size >= AT_ONCE_MAX || this.#isStopped) break
      const ofProject = this.#ofProject.get(row.project_id) ?? 0
      if (this.#under.has(row.id)) continue
      if (ofProject >= PER_PROJECT_MAX) {
        this.#isWanted = true // without this project's, there may be room for others' that lie behind
        continue
      }
      this.#under.set(row.id, row)
      this.#ofProject.set(row.project_id, ofProject + 1)
      void this.#handle(row)
    }
    const next = rows.find(row => row.due_at > now)
    if (next) this.#wakeAfter(next.due_at - now)
  }

  #wakeAfter(ms: number): void {
    this.#wake()
    if (!this.#isStopped)
      this.#wake = this.#ways.after(Math.max(1, Math.min(ms, CLAIM_MS)), () => this.kick())
  }

  async #handle(row: Row): Promise<void> {
    const { time, onProblem } = this.#context
    let isWritable = true
    try {
      if (!(await this.#claim(row))) return
      const refusal = await this.#try(row)
      if (refusal === undefined) return await this.#forget(row)
      const waitMs =
        Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** Math.min(20, row.attempts)) * (0.8 + 0.4 * this.#ways.random())
      if (refusal.isFinal || time.ageNow() + waitMs >= row.expires_at) {
        await this.#forget(row)
        onProblem(`An outcome was not delivered to ${nameOf(row)}. ${refusal.message}`)
      } else await this.#again(row, time.dueNow() + Math.round(waitMs))
    } catch (error) {
      isWritable = false
      if (!this.#isStopped) onProblem(`An outcome could not be delivered to ${nameOf(row)} now.`, error)
    } finally {
      this.#under.delete(row.id)
      const left = (this.#ofProject.get(row.project_id) ?? 1) - 1
      if (left > 0) this.#ofProject.set(row.project_id, left)
      else this.#ofProject.delete(row.project_id)
      if (this.#under.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
      // At once only where a claim can be written down: a full disk must not be asked in a circle.
      if (isWritable) this.kick()
      else this.#wakeAfter(RETRY_MS)
    }
  }

  /** False when another node has it. */
  async #claim(row: Row): Promise<boolean> {
    const { store, time } = this.#context
    const { numUpdatedRows } = await store.db
      .updateTable('async_outbox')
      .set({ due_at: time.dueNow() + CLAIM_MS, attempts: row.attempts + 1 })
      .where('id', '=', row.id)
      .where('due_at', '=', row.due_at)
      .executeTakeFirstOrThrow()
    return numUpdatedRows === 1n
  }

  async #forget(row: Row): Promise<void> {
    await this.#context.store.db.deleteFrom('async_outbox').where('id', '=', row.id).execute()
  }

  async #again(row: Row, dueAt: number): Promise<void> {
    const { store } = this.#context
    await store.db.updateTable('async_outbox').set({ due_at: dueAt }).where('id', '=', row.id).execute()
  }

  /** `undefined` when it was taken. */
  async #try(row: Row): Promise<{ readonly message: string; readonly isFinal: boolean } | undefined> {
    try {
      const event = parseHttp(['content-type', 'application/cloudevents+json'], row.event)!.events[0]!
      const target = JSON.parse(row.target_json) as Destination
      if (target.kind === 'webhook') await this.#ways.deliverWebhook(target.url, event)
      else if (target.kind === 'function') await this.#call(row, target, event)
      else if (this.#ways.publish) await this.#ways.publish(row.project_id, target.topic, event)
      else throw new AtelierError('NOT_FOUND', 'This server keeps no topics.')
      return undefined
    } catch (error) {
      const known = error instanceof AtelierError ? error : undefined
      return {
        message: known?.message ?? 'The destination did not take it.',
        isFinal: known !== undefined && FINAL.has(known.code),
      }
    }
  }

  async #call(row: Row, target: Destination & { kind: 'function' }, event: CloudEvent): Promise<void> {
    const { table, limits } = this.#context
    const project = table.projects.get(row.project_id)
    const found = project && table.byPath(project.name, target.app, target.function)
    if (!found)
      throw new AtelierError(
        'NOT_FOUND',
        `There is no function "${target.app}/${target.function}" in its project.`,
      )
    if (row.hops > limits.hopsMax)
      throw new AtelierError(
        'CONFLICT',
        `It came by ${limits.hopsMax} destinations already: they seem to lead in a circle.`,
      )
    const { headers, body } = toHttpBinary(event)
    await this.#ways.accept(
      {
        projectId: row.project_id,
        functionId: found.id,
        qualifier: target.alias,
        trigger: 'destination',
        method: 'POST',
        path: '/',
        headers,
        body,
        idempotencyKey: `atelier-outbox ${row.id}`,
      },
      row.hops,
    )
  }
}

const FINAL: ReadonlySet<string> = new Set([
  'NOT_FOUND',
  'CONFLICT',
  'INVALID_INPUT',
  'BODY_TOO_LARGE',
  'FORBIDDEN',
])

function nameOf({ target_json, project_id }: Row): string {
  const target = JSON.parse(target_json) as Destination
  const name =
    target.kind === 'webhook'
      ? `the webhook at ${new URL(target.url).host}`
      : target.kind === 'topic'
        ? `topic "${target.topic}"`
        : `function "${target.app}/${target.function}"`
  return `${name} of project ${project_id}`
}
