import type { AtelierError } from '../../core/index.ts'
import type { TriggerHost } from '../kind.ts'
import { backoffMs, NO_ROOM, RECONNECT } from './backoff.ts'
import type { QueueConfig } from './config.ts'
import type { Hand } from './hand.ts'
import { Held } from './held.ts'
import { Line } from './line.ts'
import { givenUpError, outgoingOf } from './messages.ts'
import { failureOfAnswer, failureOfError } from './outcome.ts'
import { publishAll } from './publish.ts'
import { inHandMax } from './room.ts'
import type { Session } from './source.ts'
import { afterFailure, eventsOf, type Item, type Work } from './work.ts'

/** How often is looked whether the function has room again. */
const RECHECK_MS = 100
/** Messages that become durable calls together, and such groups at once. */
const DELIVER_ITEMS_MAX = 100
const DELIVER_AT_ONCE = 4

export interface ConsumerOptions {
  readonly config: QueueConfig
  readonly host: TriggerHost
  readonly hand: Hand
  /** Where messages go that are published. `undefined` while there is no connection. */
  readonly session: () => Session | undefined
  /** Cuts off calls that are under way. */
  readonly signal: AbortSignal
  readonly chance?: () => number
}

export interface ConsumerCounters {
  acknowledged: number
  retried: number
  /** Given up: sent to the error topic, or dropped where there is none. */
  givenUp: number
  dropped: number
  answered: number
}

/**
 * Carries messages from a session to the function: as many calls at once as the function has room for, retries with growing
 * waits beside the others, what fails for good to the error topic. A message is acknowledged when all of that is done.
 */
export class Consumer {
  readonly counters: ConsumerCounters = { acknowledged: 0, retried: 0, givenUp: 0, dropped: 0, answered: 0 }
  readonly #config: QueueConfig
  readonly #host: TriggerHost
  readonly #hand: Hand
  readonly #session: () => Session | undefined
  readonly #signal: AbortSignal
  readonly #chance: () => number
  readonly #line: Line
  readonly #due: Work[] = []
  readonly #held: Held
  readonly #running = new Set<Promise<void>>()
  #noRoomInRow = 0
  #pausedUntil = 0
  #recheck: (() => void) | undefined
  #stopped = false

  constructor(options: ConsumerOptions) {
    this.#config = options.config
    this.#host = options.host
    this.#hand = options.hand
    this.#session = options.session
    this.#signal = options.signal
    this.#chance = options.chance ?? Math.random
    this.#held = new Held(options.host.clock)
    this.#line = new Line(options.config.ordering === 'key')
  }

  get running(): number {
    return this.#running.size
  }

  /** Messages between two attempts. */
  get retrying(): number {
    return this.#held.count
  }

  take(item: Item): void {
    if (item.unfit) this.#due.push({ items: [item], step: { kind: 'give-up', error: item.unfit } })
    else this.#line.push(item)
    this.pump()
  }

  /** Begins what can begin, and tells the session how much more may come. */
  pump(): void {
    if (this.#stopped) return
    const now = this.#host.clock.monotonic()
    const capacity = now < this.#pausedUntil ? 0 : this.#host.capacity()
    const atOnce =
      this.#config.delivery === 'async' ? DELIVER_AT_ONCE : Math.min(this.#config.concurrency, 1_000)
    let room = Math.min(atOnce - this.#running.size, capacity)
    while (true) {
      const work = this.#next(room, capacity)
      if (!work) break
      if (work.step.kind === 'call') room--
      this.#start(work)
    }
    this.#askForMore(atOnce, capacity)
    if (this.#due.length > 0 || this.#line.length > 0) this.#recheckIn(this.#nextLookMs(now))
  }

  /** The session is gone: what waits is forgotten, since it will come again. What runs goes on. */
  sessionLost(): void {
    this.#hand.drop(this.#clearWaiting())
  }

  /** Begins nothing more; resolves when all that runs has ended. What waits stays in hand. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#recheck?.()
    this.#clearWaiting()
    await Promise.all(this.#running)
    this.#clearWaiting()
  }

  #clearWaiting(): Item[] {
    const items = [...this.#held.clear(), ...this.#due.splice(0).flatMap(work => work.items)]
    this.#line.free(items)
    return [...items, ...this.#line.clear()]
  }

  #next(room: number, capacity: number): Work | undefined {
    const at = this.#due.findIndex(work => work.step.kind !== 'call' || room > 0)
    if (at >= 0) return this.#due.splice(at, 1)[0]
    if (room <= 0 || this.#line.length === 0) return undefined
    const { batch, delivery, ordering } = this.#config
    const size = delivery === 'async' ? Math.min(DELIVER_ITEMS_MAX, capacity) : batch.size
    if (this.#windowLeftMs() > 0) return undefined
    const items = this.#line.take(size, delivery === 'async' && ordering === 'key')
    return items.length > 0 ? { items, step: { kind: 'call' } } : undefined
  }

  /** How long the next batch may still wait to become full. */
  #windowLeftMs(): number {
    const { batch, delivery } = this.#config
    const oldest = this.#line.oldest
    if (delivery === 'async' || !oldest || oldest.alone || this.#line.length >= batch.size) return 0
    return Math.max(0, oldest.arrivedAt + batch.windowMs - this.#host.clock.monotonic())
  }

  #start(work: Work): void {
    const running = this.#run(work).then(() => {
      this.#running.delete(running)
      this.pump()
    })
    this.#running.add(running)
  }

  /** Never rejects. */
  async #run(work: Work): Promise<void> {
    try {
      if (work.step.kind === 'call')
        await (this.#config.delivery === 'async' ? this.#deliver(work) : this.#call(work))
      if (work.step.kind !== 'call') await this.#publish(work)
    } catch (error) {
      this.#host.failed(error)
      this.#hold(work, NO_ROOM.maxMs)
    }
  }

  async #call(work: Work): Promise<void> {
    try {
      const answer = await this.#host.call(eventsOf(work), this.#signal, this.#config.batch.size > 1)
      const failure = failureOfAnswer(answer)
      if (failure) return this.#failed(work, failure.error)
      this.#noRoomInRow = 0
      const answers = this.#config.responseTopic !== undefined && answer.status !== 204
      if (!answers) return this.#done(work)
      work.step = { kind: 'answer', answer }
    } catch (thrown) {
      const { kind, error } = failureOfError(thrown)
      if (kind === 'failed') this.#failed(work, error)
      else this.#noRoom(work, error)
    }
  }

  async #deliver(work: Work): Promise<void> {
    const key = this.#config.ordering === 'key' ? work.items[0]!.key : undefined
    try {
      await this.#host.deliver(eventsOf(work), key ? { orderingKey: key } : {})
      this.#noRoomInRow = 0
      this.#done(work)
    } catch (thrown) {
      const { kind, error } = failureOfError(thrown)
      if (kind === 'no-room' || error.fault === 'platform') return this.#noRoom(work, error)
      // One of them is not fit for the queue: which one shows when each goes by itself.
      for (const item of work.items) item.alone = true
      if (work.items.length === 1) work.step = { kind: 'give-up', error }
      else if (!this.#isGone(work)) this.#line.putBack(work.items)
    }
  }

  /** The step after the call: to the topic of answers, or of errors. */
  async #publish(work: Work): Promise<void> {
    const { step } = work
    if (step.kind === 'call') return
    const target = step.kind === 'answer' ? this.#config.responseTopic : this.#config.errorTopic
    try {
      if (target !== undefined) await publishAll(this.#session(), target, outgoingOf(work))
    } catch (error) {
      // The function is not called again for that.
      this.#host.failed(error)
      return this.#hold(work, backoffMs(RECONNECT, 4, this.#chance()))
    }
    if (step.kind === 'answer') this.counters.answered++
    else this.#tellGivenUp(work, step.error, target)
    this.#done(work)
  }

  #tellGivenUp({ items }: Work, error: AtelierError, target: string | undefined): void {
    this.counters.givenUp += items.length
    if (target === undefined) this.counters.dropped += items.length
    for (const item of items) this.#host.failed(givenUpError(item, error, target))
  }

  #failed(work: Work, error: AtelierError): void {
    this.#noRoomInRow = 0
    for (const item of work.items) item.attempts++
    const next = afterFailure(work, this.#config.retries)
    if (next === 'give-up') {
      work.step = { kind: 'give-up', error }
      return
    }
    this.counters.retried += work.items.length
    if (next === 'split') {
      for (const item of work.items) item.alone = true
      if (this.#isGone(work)) return
      return this.#line.putBack(work.items)
    }
    const { retryDelayMs, retryDelayMsMax } = this.#config
    const backoff = { firstMs: retryDelayMs, maxMs: retryDelayMsMax, factor: 2, jitter: 0.2 }
    this.#hold(work, backoffMs(backoff, work.items[0]!.attempts, this.#chance()))
  }

  #noRoom(work: Work, error: AtelierError): void {
    // Being told to wait is no failure; anything else the owner should see.
    if (error.code !== 'TOO_MANY_REQUESTS' && error.code !== 'CANCELLED') this.#host.failed(error)
    const waitMs = backoffMs(NO_ROOM, ++this.#noRoomInRow, this.#chance())
    const askedMs = Math.min((error.retryAfterS ?? 0) * 1_000, NO_ROOM.maxMs)
    this.#pausedUntil = this.#host.clock.monotonic() + Math.max(waitMs, askedMs)
    if (!this.#isGone(work)) this.#line.putBack(work.items)
  }

  #done(work: Work): void {
    this.#line.free(work.items)
    for (const item of work.items) this.#hand.done(item)
    this.counters.acknowledged += work.items.length
  }

  /** Lets it wait beside the others. */
  #hold(work: Work, waitMs: number): void {
    if (this.#isGone(work)) return
    this.#held.add(work, waitMs, due => {
      this.#due.push(due)
      this.pump()
    })
  }

  /** Nothing is left to do for it here: all is stopping, or its session was lost and the source will bring it again. */
  #isGone(work: Work): boolean {
    if (!this.#stopped) {
      if (work.items.some(item => this.#hand.holds(item))) return false
      this.#hand.drop(work.items)
    }
    this.#line.free(work.items)
    return true
  }

  #askForMore(atOnce: number, capacity: number): void {
    const { batch, delivery } = this.#config
    const demand = {
      calls: Math.min(atOnce, this.#running.size + capacity),
      messagesPerCall: delivery === 'async' ? DELIVER_ITEMS_MAX : batch.size,
      waiting: this.#held.count + this.#line.asideCount,
      inHand: this.#hand.count,
      bytesInHand: this.#hand.bytes,
    }
    this.#hand.allow(inHandMax(demand))
  }

  #nextLookMs(now: number): number {
    if (now < this.#pausedUntil) return this.#pausedUntil - now
    return Math.min(RECHECK_MS, this.#windowLeftMs() || RECHECK_MS)
  }

  #recheckIn(ms: number): void {
    this.#recheck?.()
    this.#recheck = this.#host.clock.after(Math.ceil(ms), () => {
      this.#recheck = undefined
      this.pump()
    })
  }
}
