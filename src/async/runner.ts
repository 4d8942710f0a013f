import type { Invoker } from '../invoker/index.ts'
import { Attempt, type AttemptEnd, type ResultRoom } from './attempt.ts'
import type { AsyncContext } from './context.ts'
import { endedRow, failureJson } from './ends.ts'
import type { Lane } from './lanes.ts'
import type { Ledger } from './ledger.ts'
import { nextStep } from './retry.ts'
import { type CallRow, optionsOf } from './rows.ts'
import type { LeasedCall, Outcome } from './turn.ts'

export interface RunnerCounters {
  attempts: number
  retries: number
}

/** Runs the calls whose leases this process holds, each function's at most as many at once as it may. */
export class Runner {
  readonly #context: AsyncContext
  readonly #invoker: Invoker
  readonly #random: () => number
  readonly #room: ResultRoom
  readonly counters: RunnerCounters = { attempts: 0, retries: 0 }
  /** Who gets the outcomes. */
  ledger!: Ledger
  /** Leased, and not begun: the next ones of each function. */
  readonly #ahead = new Map<Lane, LeasedCall[]>()
  readonly #running = new Map<string, Attempt>()
  readonly #cancelled = new Set<string>()
  #isStopping = false
  readonly #idle: (() => void)[] = []

  constructor(context: AsyncContext, invoker: Invoker, random: () => number) {
    this.#context = context
    this.#invoker = invoker
    this.#random = random
    this.#room = { used: 0, kept: 0, bytesMax: context.limits.resultBytesInHandMax }
  }

  take(leased: LeasedCall): void {
    const ahead = this.#ahead.get(leased.lane)
    if (ahead) ahead.push(leased)
    else this.#ahead.set(leased.lane, [leased])
    leased.lane.next++
    this.advance(leased.lane)
  }

  /** Begins what may begin; gives back what may not begin for now. */
  advance(lane: Lane): void {
    const ahead = this.#ahead.get(lane)
    if (!ahead) return
    const { lanes, time } = this.#context
    const target = lanes.targetOf(lane)
    const width = target && !this.#isStopping ? lanes.widthOf(lane) : 0
    if (!target || width === 0) return this.#giveBack(lane, ahead)
    while (lane.running < width && ahead.length > 0 && !this.#isFull) {
      const attempt = new Attempt(ahead.shift()!, this.#room, (each, end) => this.#ended(each, end))
      lane.next--
      lane.running++
      lanes.running++
      this.counters.attempts++
      if (attempt.leased.row.attempts > 0) this.counters.retries++
      this.#running.set(attempt.leased.row.id, attempt)
      attempt.begin(this.#invoker, target, time.dueNow())
    }
    if (ahead.length === 0) this.#ahead.delete(lane)
  }

  /** The ledger holds it no more. */
  released({ result }: Outcome): void {
    const wasFull = this.#isFull
    this.#room.kept -= result?.body.length ?? 0
    if (wasFull) for (const lane of this.#ahead.keys()) this.advance(lane)
  }

  /** Calls off a call that this process has a lease of; false when it has none. */
  cancel(id: string): boolean {
    const attempt = this.#running.get(id)
    if (attempt) {
      this.#cancelled.add(id)
      attempt.cancel(CALLED_OFF)
      return true
    }
    for (const ahead of this.#ahead.values()) {
      const at = ahead.findIndex(({ row }) => row.id === id)
      if (at < 0) continue
      const [leased] = ahead.splice(at, 1)
      leased!.lane.next--
      this.ledger.record({
        leased: leased!,
        row: endedRow(this.#context, leased!.row, 'cancelled', undefined),
      })
      return true
    }
    return false
  }

  /** Begins nothing more; resolves when all that runs has ended, at the latest after `graceMs`, when it is broken off. */
  async stop(graceMs: number, after: (ms: number, callback: () => void) => () => void): Promise<void> {
    this.#isStopping = true
    this.#giveBackAhead()
    if (graceMs <= 0) this.abandon()
    if (this.#running.size === 0) return
    const idle = new Promise<void>(resolve => this.#idle.push(resolve))
    const cancel = after(graceMs, () => this.abandon())
    await idle
    cancel()
  }

  /** Breaks off what runs and gives back what is to come; it is queued again, unless others have it by then. */
  abandon(): void {
    this.#giveBackAhead()
    for (const attempt of this.#running.values()) attempt.cancel(CALLED_OFF)
  }

  #ended(attempt: Attempt, end: AttemptEnd): void {
    const { leased } = attempt
    const { lane, row } = leased
    this.#running.delete(row.id)
    lane.running--
    this.#context.lanes.running--
    const outcome = this.#outcome(leased, end)
    this.#room.kept += outcome.result?.body.length ?? 0
    this.ledger.record(outcome)
    this.advance(lane)
    if (this.#running.size === 0) for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** Answers come faster than the disk takes them: nothing more is begun. */
  get #isFull(): boolean {
    return this.#room.kept >= this.#room.bytesMax / 2
  }

  #outcome(leased: LeasedCall, { result, failure }: AttemptEnd): Outcome {
    const context = this.#context
    const { lane, row } = leased
    const isCancelled = this.#cancelled.delete(row.id)
    const tried: CallRow = {
      ...row,
      attempts: row.attempts + 1,
      http_status: result?.status ?? 0,
      result_bytes: result?.body.length ?? 0,
    }
    if (isCancelled) return { leased, row: endedRow(context, tried, 'cancelled', undefined) }
    if (failure === CALLED_OFF) return { leased, row: { ...tried, state: 'queued', owner: null } }
    if (failure?.kind === 'platform') this.#rest(lane)
    else {
      lane.refusals = 0
      lane.width++
    }
    const { attemptsMax, maxAgeMs } = optionsOf(row)
    const step = nextStep(
      { failures: row.failures, firstDueAt: row.first_due_at, attemptsMax, maxAgeMs },
      { status: tried.http_status, failure },
      context.lanes.settingsOf(row.function_id),
      context.time.ageNow(),
      lane.refusals,
      this.#random(),
    )
    const isCounted = failure !== undefined && failure.kind !== 'platform'
    const counted = { ...tried, failures: row.failures + (isCounted ? 1 : 0) }
    if (step.kind === 'end') return { leased, result, row: endedRow(context, counted, step.state, failure) }
    return {
      leased,
      row: {
        ...counted,
        // What never reached the code was no attempt.
        attempts: isCounted ? counted.attempts : row.attempts,
        state: 'queued',
        owner: null,
        due_at: context.time.dueNow() + step.waitMs,
        failure_json: failureJson(failure!),
      },
    }
  }

  /** The platform has no room for this function: fewer at once, and later. */
  #rest(lane: Lane): void {
    lane.refusals++
    lane.width = Math.max(1, Math.floor(Math.min(lane.width, lane.running + 1) / 2))
    const restMs = Math.min(REST_MS_MAX, REST_MS * 2 ** Math.min(20, lane.refusals - 1))
    lane.restsUntil = this.#context.time.monotonic() + restMs * (0.5 + this.#random())
  }

  #giveBackAhead(): void {
    for (const [lane, ahead] of this.#ahead) this.#giveBack(lane, ahead)
  }

  #giveBack(lane: Lane, ahead: readonly LeasedCall[]): void {
    this.#ahead.delete(lane)
    lane.next -= ahead.length
    for (const leased of ahead)
      this.ledger.record({ leased, row: { ...leased.row, state: 'queued', owner: null } })
  }
}

const REST_MS = 100
const REST_MS_MAX = 10_000

/** Not the call's failure: it is cancelled, or goes back into the queue. */
const CALLED_OFF = {
  kind: 'platform',
  code: 'UNAVAILABLE',
  message: 'The attempt was broken off because the server stops.',
} as const
