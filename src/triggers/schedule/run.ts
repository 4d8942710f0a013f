import type { AcceptedCall } from '../../async/index.ts'
import { AtelierError, type EventTrigger } from '../../core/index.ts'
import type { RunningTrigger, StopReason, TriggerEvent, TriggerHost } from '../kind.ts'
import type { Clockwork, Entry } from './clockwork.ts'
import type { ScheduleConfig } from './config.ts'
import type { Recurrence } from './cron.ts'
import { type Due, dueRuns, LATE_MS_MAX, startOf } from './due.ts'
import { eventOf } from './event.ts'
import { planOf } from './plan.ts'

const SHOWN_MAX = 5 // next runs in a view
const FOLLOW_MS = 5_000 // how often a node that does not lead looks whether it does
const RETRY_MS = 1_000
const RETRY_MS_MAX = 30_000
const CHANGE_MS = 1_000 // what was due so shortly before a change is still run

/** What survives restarts. */
interface Progress {
  /** All planned up to here was seen to. */
  readonly through: number
  readonly runs: number
  /** Left out since the run before had not ended. */
  readonly skipped: number
  /** Calls that may not have ended, for overlap rules. */
  readonly calls: readonly string[]
}

/** A call that was accepted before its time. */
interface AheadCall {
  readonly id: string
  readonly planned: number
  readonly runAt: number
}

/** One schedule, running. */
export class RunningSchedule implements RunningTrigger, Entry {
  readonly leads = true
  dueAt: number | undefined
  readonly #trigger: EventTrigger
  readonly #config: ScheduleConfig
  readonly #host: TriggerHost
  readonly #clockwork: Clockwork
  readonly #series: Recurrence
  #progress: Progress
  readonly mayBeAhead: boolean
  #ahead: readonly AheadCall[] = []
  #isStopped = false
  #retryMs = RETRY_MS
  #work: Promise<void>

  constructor(trigger: EventTrigger, host: TriggerHost, clockwork: Clockwork) {
    this.#trigger = trigger
    this.#config = trigger.config as unknown as ScheduleConfig
    this.#host = host
    this.#clockwork = clockwork
    this.mayBeAhead = this.#config.overlap === 'allow' // the others look at what runs at their time
    this.#series = planOf(this.#config, trigger.createdAt)
    this.#progress = { through: trigger.updatedAt, runs: 0, skipped: 0, calls: [] }
    this.#work = this.#begin()
  }

  async stop(why: StopReason = 'changed'): Promise<void> {
    this.#isStopped = true
    this.#clockwork.clear(this)
    await this.#work
    if (why === 'changed') await this.#takeBack()
  }

  /** Calls off what was accepted before its time, which has not come. */
  async #takeBack(): Promise<void> {
    const now = this.#host.clock.now()
    const early = this.#ahead.filter(({ runAt }) => runAt > now)
    if (early.length === 0) return
    for (const { id } of early) await this.#host.cancelCall(id)
    const { runs, through, ...rest } = this.#progress
    const before = Math.min(through, ...early.map(({ planned }) => planned - 1))
    this.#progress = { ...rest, through: before, runs: runs - early.length }
    this.#host.save(this.#progress).catch(() => {}) // told by whoever writes
  }

  view() {
    const { runs, skipped, through } = this.#progress
    const { count, cron, every, at, zone } = this.#config
    const nextAt: number[] = []
    const left = Math.min(SHOWN_MAX, (count ?? Infinity) - runs)
    for (let next = this.#series.next(through); next !== undefined && nextAt.length < left; ) {
      nextAt.push(this.#startOf(next))
      next = this.#series.next(next)
    }
    return {
      nextAt,
      details: {
        schedule: cron ?? (every === undefined ? `at ${at}` : `@every ${every}`),
        zone,
        runs,
        ...(skipped > 0 && { skipped }),
      },
    }
  }

  onDue(now: number): void {
    if (this.#isStopped) return
    if (!this.#host.isLeader()) return this.#followLeader(now)
    const due = this.#due(now)
    if (due.runs.length === 0) return this.#advance(due, this.#progress)
    this.#work = this.#run(due)
  }

  onClockBack(now: number): void {
    this.#progress = { ...this.#progress, through: Math.min(this.#progress.through, now) }
    this.#wait(this.#due(now).nextAt)
  }

  async #begin(): Promise<void> {
    const now = this.#host.clock.now()
    const kept = (await this.#host.load()) as Progress | undefined
    if (this.#isStopped) return
    // While it was paused or another schedule, it missed nothing. A clock that was wrong by hours means nothing either.
    const since = this.#trigger.updatedAt
    if (kept) {
      const through = Math.max(kept.through, since - CHANGE_MS)
      this.#progress = { ...kept, through: Math.min(through, now + LATE_MS_MAX) }
    }
    this.#wait(this.#isSpent ? undefined : this.#next(now))
  }

  /** Makes runs, and only then counts them as made. */
  async #run(due: Due): Promise<void> {
    try {
      const { runs, calls, skipped, orderingKey } = await this.#allowed(due.runs)
      const events = runs.map(planned => this.#eventOf(planned))
      const now = this.#host.clock.now()
      const runAt = Math.max(0, ...runs.map(planned => this.#startOf(planned)))
      const made =
        events.length === 0
          ? []
          : await this.#host.deliver(events, {
              ...(orderingKey !== undefined && { orderingKey }),
              ...(runAt > now && { runAt }),
            })
      if (runAt > now) this.#rememberAhead(made, runs, now)
      this.#retryMs = RETRY_MS
      if (skipped > 0) this.#host.filtered(skipped)
      this.#advance(due, {
        through: due.through,
        runs: this.#progress.runs + due.runs.length - skipped,
        skipped: this.#progress.skipped + skipped,
        calls: this.#config.overlap === 'allow' ? [] : [...calls, ...made.map(call => call.id)],
      })
    } catch (error) {
      // It was told as the trigger's last error. What cannot be accepted within the minute is a missed run.
      const wait =
        error instanceof AtelierError && error.retryAfterS ? error.retryAfterS * 1000 : this.#retryMs
      this.#retryMs = Math.min(2 * this.#retryMs, RETRY_MS_MAX)
      this.#wait(this.#host.clock.now() + Math.min(wait, RETRY_MS_MAX))
    }
  }

  /** Which of the due runs the overlap rule lets through, and which calls before them have not ended. */
  async #allowed(runs: readonly number[]): Promise<{
    runs: readonly number[]
    calls: readonly string[]
    skipped: number
    orderingKey?: string
  }> {
    const { overlap } = this.#config
    if (overlap === 'allow') return { runs, calls: [], skipped: 0 }
    const states = await Promise.all(this.#progress.calls.map(id => this.#host.callState(id)))
    let calls = this.#progress.calls.filter((_, i) => states[i] === 'queued' || states[i] === 'running')
    if (overlap === 'cancel') {
      await Promise.all(calls.map(id => this.#host.cancelCall(id)))
      calls = []
    }
    const room = Math.max(0, (overlap === 'queue' ? 2 : 1) - calls.length)
    const kept = room === 0 ? [] : runs.slice(-room)
    return {
      runs: kept,
      calls,
      skipped: runs.length - kept.length,
      ...(overlap === 'queue' && { orderingKey: this.#trigger.id }),
    }
  }

  /** After a change of the trigger a run that was called off may be made again. */
  #eventOf(planned: number): TriggerEvent {
    const event = eventOf(this.#trigger, this.#config, planned)
    return { ...event, deliveryId: `${event.id} ${this.#trigger.revision}` }
  }

  #rememberAhead(made: readonly AcceptedCall[], runs: readonly number[], now: number): void {
    const fresh = made.map(({ id }, i) => ({ id, planned: runs[i]!, runAt: this.#startOf(runs[i]!) }))
    this.#ahead = [...this.#ahead.filter(({ runAt }) => runAt > now), ...fresh]
  }

  #startOf(planned: number): number {
    return startOf({ triggerId: this.#trigger.id, config: this.#config }, planned)
  }

  #advance(due: Due, progress: Progress): void {
    if (progress !== this.#progress || due.through !== progress.through) {
      this.#progress = { ...progress, through: due.through }
      this.#host.save(this.#progress).catch(() => {}) // told by whoever writes; it is written again with the next run
    }
    this.#wait(this.#isSpent ? undefined : due.nextAt)
  }

  /** Another node makes the runs; this one takes over where that one may have ended. */
  #followLeader(now: number): void {
    const through = Math.max(this.#progress.through, now - LATE_MS_MAX)
    this.#progress = { ...this.#progress, through }
    const next = this.#next(now)
    this.#wait(next === undefined ? undefined : Math.max(next, now + FOLLOW_MS))
  }

  #wait(at: number | undefined): void {
    if (this.#isStopped) return
    if (at === undefined) this.#host.ended()
    else this.#clockwork.set(this, at)
  }

  #due(now: number): Due {
    return dueRuns({
      triggerId: this.#trigger.id,
      series: this.#series,
      config: this.#config,
      through: this.#progress.through,
      now,
      remaining: (this.#config.count ?? Infinity) - this.#progress.runs,
    })
  }

  /** When the next run begins, if it is not due already: then now. */
  #next(now: number): number | undefined {
    const planned = this.#series.next(this.#progress.through)
    return planned === undefined ? undefined : Math.max(now, this.#startOf(planned))
  }

  get #isSpent(): boolean {
    return this.#progress.runs >= (this.#config.count ?? Infinity)
  }
}
