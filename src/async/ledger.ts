import { asAtelierError } from '../core/index.ts'
import type { AcceptedCall } from './async.ts'
import type { AsyncContext } from './context.ts'
import { type EndedCall, tellAll } from './ends.ts'
import { nextAhead } from './lanes.ts'
import {
  type LeasedCall,
  type NewCall,
  type Outcome,
  runTurn,
  type TurnResult,
  type TurnWork,
} from './turn.ts'

/** What others are told of what is on the disk. */
export interface LedgerListener {
  onLeased(leased: LeasedCall): void
  onEnded(ended: EndedCall): void
  /** The outcome is written down, or does not count: the lease is given back. */
  onReleased(outcome: Outcome, isLost: boolean): void
}

interface Unit {
  readonly calls: readonly NewCall[]
  readonly resolve: (accepted: readonly AcceptedCall[]) => void
  readonly reject: (error: unknown) => void
}

const CALLS_PER_TURN_MAX = 1_000
const BYTES_PER_TURN_MAX = 32 * 1024 * 1024
const OUTCOMES_PER_TURN_MAX = 1_000
const RETRY_MS = 100
const RETRY_MS_MAX = 5_000

/**
 * The one writer of the calls' life. What comes while a transaction is under way goes into the next, so that a wait for the disk
 * serves everybody who came meanwhile: acceptances, outcomes and leases alike.
 */
export class Ledger {
  readonly #context: AsyncContext
  readonly #listener: LedgerListener
  readonly #after: (ms: number, callback: () => void) => () => void
  #units: Unit[] = []
  #outcomes: Outcome[] = []
  #isTurning = false
  #isLeasing = true
  #isClosed = false
  #failures = 0
  #cancelRetry = (): void => {}
  #wakeAt: { readonly at: number; readonly cancel: () => void } | undefined
  readonly #idle: (() => void)[] = []

  constructor(
    context: AsyncContext,
    listener: LedgerListener,
    after: (ms: number, callback: () => void) => () => void,
  ) {
    this.#context = context
    this.#listener = listener
    this.#after = after
  }

  /** Resolves when they are on the disk. */
  accept(calls: readonly NewCall[]): Promise<readonly AcceptedCall[]> {
    return new Promise((resolve, reject) => {
      this.#units.push({ calls, resolve, reject })
      this.kick()
    })
  }

  /** Writes down what an attempt made of its call; goes on trying while the disk is full. */
  record(outcome: Outcome): void {
    this.#outcomes.push(outcome)
    this.kick()
  }

  /** Something may be due, or there is room again. */
  kick(): void {
    if (this.#isTurning) return
    this.#isTurning = true
    // What the same turn of the event loop still brings goes along.
    setImmediate(() => void this.#run())
  }

  stopLeasing(): void {
    this.#isLeasing = false
  }

  /** Resolves when everything that was handed in is on the disk, or has been refused. */
  async settled(): Promise<void> {
    if (!this.#isTurning && this.#units.length === 0 && this.#outcomes.length === 0) return
    await new Promise<void>(resolve => this.#idle.push(resolve))
  }

  close(): void {
    this.#isClosed = true
    this.#isLeasing = false
    this.#wakeAt?.cancel()
    this.#cancelRetry()
  }

  async #run(): Promise<void> {
    let isRested = false
    while (!isRested) {
      const units = this.#takeUnits()
      const outcomes = this.#takeOutcomes()
      const leases = this.#isLeasing ? this.#context.lanes.ready(this.#context.time.dueNow()) : []
      if (units.length + outcomes.length + leases.length === 0) break
      isRested = !(await this.#turn(units, {
        accepts: units.flatMap(({ calls }) => calls),
        outcomes,
        leases,
      }))
    }
    this.#isTurning = false
    if (isRested) this.#planRetry()
    else this.#planWake()
    if (this.#outcomes.length === 0 && this.#units.length === 0)
      for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** False when nothing could be written. */
  async #turn(units: readonly Unit[], work: TurnWork): Promise<boolean> {
    const { store, onProblem } = this.#context
    let result: TurnResult
    try {
      result = await store.transaction(tx => runTurn(this.#context, tx, work), {
        // A lease that is lost with the power is no loss: the call is queued as before.
        relaxed: work.accepts.length === 0 && work.outcomes.length === 0,
      })
    } catch (thrown) {
      const error = asAtelierError(thrown)
      this.#failures++
      // Nobody is told of a refusal as a success, and no outcome is forgotten.
      this.#outcomes = [...work.outcomes, ...this.#outcomes]
      for (const { reject } of units) reject(error)
      if (this.#failures === 1)
        onProblem(`Asynchronous calls cannot be written down. ${error.message}`, thrown)
      return false
    }
    this.#failures = 0
    this.#tell(units, work, result)
    return true
  }

  #tell(units: readonly Unit[], work: TurnWork, result: TurnResult): void {
    for (const [lane, dueAt] of result.nextDueAt) lane.nextDueAt = dueAt
    let at = 0
    for (const { calls, resolve } of units) {
      const accepted = result.accepted.slice(at, (at += calls.length))
      for (const [index, call] of calls.entries()) this.#tellAccepted(call, accepted[index]!)
      resolve(accepted)
    }
    for (const outcome of work.outcomes) {
      const isLost = result.lost.has(outcome.leased)
      this.#listener.onReleased(outcome, isLost)
      if (!isLost && outcome.row.ended_at !== null) this.#listener.onEnded(outcome)
    }
    tellAll(this.#context, result.ended, ended => this.#listener.onEnded(ended))
    const found = new Set(result.leased.map(({ lane }) => lane))
    for (const lane of found)
      lane.ahead = nextAhead(lane.ahead, this.#context.lanes.isStarved(lane), lane.next)
    for (const leased of result.leased) this.#lease(leased)
  }

  #tellAccepted(call: NewCall, { duplicate }: AcceptedCall): void {
    const { lane, row } = call
    const { lanes } = this.#context
    if (duplicate) {
      if (row.owner !== null) lanes.release(lane, row.body_bytes)
      lanes.add(lane, row.owner === null ? -1 : 0, -row.body_bytes)
      lanes.tidy(lane)
    } else if (row.owner === null) lane.nextDueAt = Math.min(lane.nextDueAt, row.due_at)
    else this.#listener.onLeased(call)
  }

  #lease(leased: LeasedCall): void {
    const { lanes } = this.#context
    lanes.add(leased.lane, -1, 0)
    lanes.lease(leased.lane, leased.row.body_bytes)
    this.#listener.onLeased(leased)
  }

  #takeUnits(): readonly Unit[] {
    let calls = 0
    let bytes = 0
    let count = 0
    for (const unit of this.#units) {
      if (count > 0 && (calls >= CALLS_PER_TURN_MAX || bytes >= BYTES_PER_TURN_MAX)) break
      calls += unit.calls.length
      for (const { row } of unit.calls) bytes += row.body_bytes
      count++
    }
    return this.#units.splice(0, count)
  }

  #takeOutcomes(): readonly Outcome[] {
    let bytes = 0
    let count = 0
    for (const { row } of this.#outcomes) {
      if (count === OUTCOMES_PER_TURN_MAX || bytes >= BYTES_PER_TURN_MAX) break
      bytes += row.result_bytes
      count++
    }
    return this.#outcomes.splice(0, count)
  }

  /** Once it is closed, what could not be written down is left to who opens the queue next. */
  #planRetry(): void {
    if (this.#isClosed) return
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures)
    this.#cancelRetry = this.#after(waitMs, () => this.kick())
  }

  #planWake(): void {
    if (!this.#isLeasing) return
    const { lanes, time } = this.#context
    const now = time.dueNow()
    const ms = lanes.msToNext(now)
    if (ms === Number.POSITIVE_INFINITY) return
    const at = now + ms
    if (this.#wakeAt && this.#wakeAt.at <= at && this.#wakeAt.at > now) return
    this.#wakeAt?.cancel()
    const cancel = this.#after(Math.min(ms, TIMER_MS_MAX), () => {
      this.#wakeAt = undefined
      this.kick()
    })
    this.#wakeAt = { at, cancel }
  }
}

const TIMER_MS_MAX = 60_000 // looked at again: the clock may have been set meanwhile
