import { type AsyncCall, createAddressPolicy, newId } from '../core/index.ts'
import type { AcceptedCall, AsyncCalls, AsyncCounters, AsyncFilter, NewAsyncCall } from './async.ts'
import { cancelCall, cancelMatching, forgetMatching, redriveMatching } from './changes.ts'
import type { AsyncContext } from './context.ts'
import { destinationOf, type EndedCall } from './ends.ts'
import { EventClock } from './event-clock.ts'
import { Intake } from './intake.ts'
import { Keeper } from './keeper.ts'
import { Lanes } from './lanes.ts'
import { Ledger } from './ledger.ts'
import { Nodes } from './nodes.ts'
import { ASYNC_LIMITS_DEFAULT, type AsyncOptions } from './options.ts'
import { Outbox } from './outbox.ts'
import { getCall, listCalls, queueOf, resultOf } from './reads.ts'
import { reserveOldest, takeReserved } from './reserve.ts'
import { callOf } from './rows.ts'
import { Runner } from './runner.ts'
import { RawSql } from './sql.ts'
import { Waiters, waitForEnd } from './waiters.ts'
import { createWebhooks } from './webhook.ts'

/** Opens the queue: takes up what an earlier process left, and begins to run what is due. */
export async function createAsyncCalls(options: AsyncOptions): Promise<AsyncCalls> {
  const calls = new Calls(options)
  await calls.open()
  return calls
}

class Calls implements AsyncCalls {
  readonly #options: AsyncOptions
  readonly #context: AsyncContext
  readonly #ledger: Ledger
  readonly #runner: Runner
  readonly #intake: Intake
  readonly #nodes: Nodes
  readonly #keeper: Keeper
  readonly #outbox: Outbox
  readonly #waiters: Waiters
  readonly #ended = { succeeded: 0, failed: 0, expired: 0, cancelled: 0 }
  #unsubscribe = (): void => {}
  #isClosed = false

  constructor(options: AsyncOptions) {
    const { store, table, clock, invoker, random = Math.random } = options
    const limits = { ...ASYNC_LIMITS_DEFAULT, ...options.limits }
    const context: AsyncContext = {
      store,
      table,
      limits,
      sql: new RawSql(store.dialect),
      time: new EventClock(clock),
      lanes: new Lanes(table, clock, limits),
      isShared: options.isShared ?? store.dialect !== 'sqlite',
      node: newId(clock.now()),
      onProblem: options.onProblem ?? (() => {}),
    }
    const after = (ms: number, callback: () => void): (() => void) => clock.after(ms, callback)
    this.#options = options
    this.#context = context
    this.#waiters = new Waiters(clock)
    this.#runner = new Runner(context, invoker, random)
    this.#ledger = new Ledger(
      context,
      {
        onLeased: leased => this.#runner.take(leased),
        onEnded: ended => this.#tellEnded(ended),
        onReleased: (outcome, isLost) => {
          const { leased, row } = outcome
          const { lane } = leased
          this.#runner.released(outcome)
          context.lanes.release(lane, leased.row.body_bytes)
          if (isLost || row.ended_at !== null) context.lanes.add(lane, 0, -leased.row.body_bytes)
          else {
            context.lanes.add(lane, 1, 0)
            lane.nextDueAt = Math.min(lane.nextDueAt, row.due_at)
          }
          context.lanes.tidy(lane)
        },
      },
      after,
    )
    this.#runner.ledger = this.#ledger
    this.#intake = new Intake(context, this.#ledger)
    this.#nodes = new Nodes(context, this.#runner, this.#ledger)
    this.#outbox = new Outbox(context, {
      accept: (call, hops) => this.#intake.accept([call], hops),
      publish: options.publish,
      deliverWebhook: options.deliverWebhook ?? createWebhooks(createAddressPolicy()),
      after,
      random,
    })
    this.#keeper = new Keeper(context, after, {
      beat: () => this.#nodes.beat(),
      kick: () => {
        this.#ledger.kick()
        this.#outbox.kick()
      },
      onEnded: ended => this.#tellEnded(ended),
    })
  }

  async open(): Promise<void> {
    await this.#nodes.open()
    this.#unsubscribe = this.#context.table.subscribe(changes => {
      for (const { kind, id } of changes)
        if (kind === 'function') this.#functionChanged(id)
        else if (kind === 'project') this.#keeper.projectChanged(id)
      this.#ledger.kick()
    })
    this.#keeper.start()
    this.#ledger.kick()
    this.#outbox.kick()
  }

  usage(projectId: string): { readonly queued: number; readonly bytes: number } {
    return this.#context.lanes.usageOf(projectId)
  }

  get counters(): AsyncCounters {
    const { queued, running } = this.#context.lanes
    return {
      queued,
      running,
      ...this.#intake.counters,
      ...this.#runner.counters,
      ...this.#ended,
      recovered: this.#nodes.recovered,
    }
  }

  accept(calls: readonly NewAsyncCall[]): Promise<readonly AcceptedCall[]> {
    return this.#intake.accept(calls, 0)
  }

  async get(projectId: string, id: string) {
    return callOf(await getCall(this.#context, projectId, id))
  }

  result(projectId: string, id: string) {
    return resultOf(this.#context, projectId, id)
  }

  wait(projectId: string, id: string, timeoutMs: number, signal?: AbortSignal) {
    const { clock } = this.#options
    const look = (): Promise<AsyncCall> => this.get(projectId, id)
    return waitForEnd(this.#waiters, clock, id, look, timeoutMs, this.#context.isShared, signal)
  }

  async cancel(projectId: string, id: string) {
    const left = await cancelCall(this.#context, this.#runner, projectId, id, ended => this.#tellEnded(ended))
    this.#ledger.kick()
    return left === 'running here' ? this.wait(projectId, id, CANCEL_WAIT_MS) : this.get(projectId, id)
  }

  async reserve(projectId: string, forMs: number) {
    const reserved = await reserveOldest(this.#context, projectId, forMs)
    if (reserved) this.#ledger.kick() // it plans to look when the call is due again
    return reserved
  }

  async takeReserved(projectId: string, id: string, why: string) {
    const taken = await takeReserved(this.#context, projectId, id, why, ended => this.#tellEnded(ended))
    this.#ledger.kick()
    return taken
  }

  list(...[projectId, filter, page]: Parameters<AsyncCalls['list']>) {
    return listCalls(this.#context, projectId, filter, page)
  }

  async cancelMany(projectId: string, filter: AsyncFilter) {
    const count = await cancelMatching(this.#context, projectId, filter, ended => this.#tellEnded(ended))
    this.#ledger.kick()
    return count
  }

  async redrive(projectId: string, which: { readonly id: string } | AsyncFilter) {
    const count = await redriveMatching(this.#context, projectId, which)
    this.#ledger.kick()
    return count
  }

  forget(projectId: string, filter: AsyncFilter) {
    return forgetMatching(this.#context, projectId, filter)
  }

  queue(projectId: string, functionId: string) {
    return queueOf(this.#context, projectId, functionId)
  }

  async drain(graceMs: number): Promise<void> {
    this.#intake.stop()
    this.#ledger.stopLeasing()
    this.#outbox.stop()
    const { clock } = this.#options
    await this.#runner.stop(graceMs, (ms, callback) => clock.after(ms, callback))
    await this.#settled()
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#unsubscribe()
    this.#keeper.stop()
    await this.drain(0)
    this.#ledger.close()
    await Promise.all([this.#outbox.closed(), this.#keeper.closed()])
    await this.#nodes.close()
  }

  /** A full disk must not keep the process: what could not be written is run again. */
  async #settled(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#options.clock.after(SETTLE_MS_MAX, resolve)
    await Promise.race([this.#ledger.settled(), promise])
    cancel()
  }

  #functionChanged(functionId: string): void {
    const lane = this.#context.lanes.all.get(functionId)
    if (!lane) return
    this.#runner.advance(lane)
    if (!this.#context.lanes.targetOf(lane)) this.#keeper.functionDeleted(lane)
  }

  #tellEnded({ row }: EndedCall): void {
    const call = callOf(row)
    this.#ended[row.state as 'succeeded']++
    this.#waiters.tell(call)
    if (destinationOf(this.#context, row)) this.#outbox.kick()
    this.#options.onEnded?.(call)
  }
}

const CANCEL_WAIT_MS = 5_000
const SETTLE_MS_MAX = 5_000
