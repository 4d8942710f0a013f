import { createHash } from 'node:crypto'
import type { AcceptedCall, AsyncCalls, AsyncResult, NewAsyncCall } from '../async/index.ts'
import {
  type AsyncCall,
  AtelierError,
  asAtelierError,
  type Clock,
  type EventTrigger,
  type FunctionTable,
  type TriggerStatus,
} from '../core/index.ts'
import type { Invoker } from '../invoker/index.ts'
import { callCollected } from './call.ts'
import type { DeliverOptions, RunningTrigger, StopReason, TriggerEvent, TriggerHost } from './kind.ts'
import { renderBatch, renderEvent } from './render.ts'
import type { KeptState } from './states.ts'
import type { WriteBehind } from './write-behind.ts'

const MESSAGE_LENGTH_MAX = 1_000
const GONE = 'The function of this trigger, or its version, is gone: messages wait at their source.'

/** What all triggers share. */
export interface HostParts {
  readonly table: FunctionTable
  readonly async: AsyncCalls
  readonly invoker: Invoker
  readonly clock: Clock
  readonly isLeader: () => boolean
  readonly written: WriteBehind
}

/** One trigger of the table: what its kind may do, and how it does. It outlives the running part, which changes replace. */
export class HostedTrigger implements TriggerHost {
  trigger: EventTrigger
  /** `undefined` while it is paused, or is being started. */
  running: RunningTrigger | undefined
  readonly #parts: HostParts
  #kept: KeptState
  #abort = new AbortController()
  #isFailing = false
  #isEnded = false
  #calling = 0

  constructor(parts: HostParts, trigger: EventTrigger, kept: KeptState | undefined) {
    this.#parts = parts
    this.trigger = trigger
    this.#kept = kept ?? { accepted: 0, filtered: 0, duplicates: 0, failed: 0 }
  }

  get kept(): KeptState {
    return this.#kept
  }

  get clock(): Clock {
    return this.#parts.clock
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  status(): TriggerStatus {
    const { value: _, ...counters } = this.#kept
    const { nextAt, details } = this.running?.view?.() ?? {}
    return {
      state: this.trigger.paused
        ? 'paused'
        : this.#isEnded
          ? 'ended'
          : this.#isFailing
            ? 'failing'
            : 'active',
      ...counters,
      ...(nextAt && { nextAt }),
      ...(details && { details }),
    }
  }

  /** What another node has kept since this one looked. */
  known(kept: KeptState | undefined): void {
    if (kept) this.#kept = kept
  }

  /** A running part begins: nothing of the one before it counts. */
  renew(): void {
    this.#abort = new AbortController()
    this.#isFailing = false
    this.#isEnded = false
  }

  /** Ends the running part. */
  async stop(why: StopReason): Promise<void> {
    this.#abort.abort(new AtelierError('UNAVAILABLE', `Trigger "${this.trigger.name}" has stopped.`))
    const running = this.running
    this.running = undefined
    await running?.stop(why)
  }

  // What a kind may do.

  async deliver(
    events: readonly TriggerEvent[],
    options: DeliverOptions = {},
  ): Promise<readonly AcceptedCall[]> {
    try {
      const accepted = await this.#parts.async.accept(events.map(event => this.#callOf(event, options)))
      const duplicates = accepted.filter(each => each.duplicate).length
      this.#isFailing = false
      this.#note({
        accepted: this.#kept.accepted + accepted.length - duplicates,
        duplicates: this.#kept.duplicates + duplicates,
        lastEventAt: this.clock.now(),
        ...(accepted.length > 0 && { lastCallId: accepted.at(-1)!.id }),
      })
      return accepted
    } catch (error) {
      this.#noteFailure(error, events.length)
      throw error
    }
  }

  async call(
    events: readonly TriggerEvent[],
    signal?: AbortSignal,
    asBatch = events.length !== 1,
  ): Promise<AsyncResult> {
    const { table, invoker } = this.#parts
    const { trigger } = this
    this.#calling++
    try {
      const target = table.functions.get(trigger.functionId)
      if (!target) throw new AtelierError('NOT_FOUND', GONE)
      const rendered = asBatch ? renderBatch(trigger, events) : renderEvent(trigger, events[0]!)
      const request = {
        target,
        qualifier: trigger.alias,
        trigger: trigger.kind,
        triggerName: trigger.name,
        ...rendered,
      }
      const result = await callCollected(invoker, request, signal)
      this.#isFailing = false
      this.#note({ accepted: this.#kept.accepted + events.length, lastEventAt: this.clock.now() })
      return result
    } catch (error) {
      this.#noteFailure(error, events.length)
      throw error
    } finally {
      this.#calling--
    }
  }

  capacity(): number {
    const { table } = this.#parts
    const target = table.functions.get(this.trigger.functionId)
    const named = target?.aliases.get(this.trigger.alias)
    const number = named ? Math.max(...named.map(each => each.version)) : Number(this.trigger.alias)
    const version = target?.versions.get(number)
    if (!version) {
      // Asked again and again: told once.
      if (!this.#isFailing) this.#noteFailure(new AtelierError('NOT_FOUND', GONE), 0)
      return 0
    }
    const most = version.scaling.instancesMax * version.limits.concurrency
    const project = table.projects.get(this.trigger.projectId)?.concurrencyMax ?? Infinity
    return Math.max(0, Math.min(most, project) - this.#calling)
  }

  filtered(count: number): void {
    this.#note({ filtered: this.#kept.filtered + count })
  }

  failed(error: unknown): void {
    this.#noteFailure(error, 0)
  }

  healthy(): void {
    this.#isFailing = false
  }

  ended(): void {
    this.#isEnded = true
  }

  async load(): Promise<unknown> {
    return this.#kept.value
  }

  save(value: unknown): Promise<void> {
    this.#kept = { ...this.#kept, value }
    return this.#parts.written.save(this.trigger.id)
  }

  isLeader(): boolean {
    return this.#parts.isLeader()
  }

  async callState(id: string): Promise<AsyncCall['state'] | undefined> {
    try {
      return (await this.#parts.async.get(this.trigger.projectId, id)).state
    } catch (error) {
      if (error instanceof AtelierError && error.code === 'NOT_FOUND') return undefined
      throw error
    }
  }

  async cancelCall(id: string): Promise<void> {
    try {
      await this.#parts.async.cancel(this.trigger.projectId, id)
    } catch (error) {
      const hasEnded =
        error instanceof AtelierError && (error.code === 'CONFLICT' || error.code === 'NOT_FOUND')
      if (!hasEnded) throw error
    }
  }

  #callOf(event: TriggerEvent, options: DeliverOptions): NewAsyncCall {
    const { trigger } = this
    return {
      projectId: trigger.projectId,
      functionId: trigger.functionId,
      qualifier: trigger.alias,
      trigger: trigger.kind,
      triggerName: trigger.name,
      ...renderEvent(trigger, event),
      ...options,
      idempotencyKey: queueKey(`${trigger.id} ${event.deliveryId ?? `${event.source} ${event.id}`}`),
      ...(options.orderingKey !== undefined && { orderingKey: queueKey(options.orderingKey) }),
    }
  }

  #noteFailure(error: unknown, events: number): void {
    this.#isFailing = true
    this.#note({
      failed: this.#kept.failed + events,
      lastError: messageOf(error).slice(0, MESSAGE_LENGTH_MAX),
      lastErrorAt: this.clock.now(),
    })
  }

  #note(change: Partial<KeptState>): void {
    this.#kept = { ...this.#kept, ...change }
    this.#parts.written.touch(this.trigger.id)
  }
}

const KEY_CHARACTERS_MAX = 200

/** A key that the queue takes, made of what a source says, which may be of any length and hold anything. */
function queueKey(said: string): string {
  const isPlain = said.length <= KEY_CHARACTERS_MAX && !said.includes('\0')
  return isPlain ? said : createHash('sha256').update(said).digest('hex')
}

/** What the owner of a trigger may read: a broker's own words too, since the connection is the owner's. */
function messageOf(error: unknown): string {
  if (error instanceof AtelierError) return error.message
  if (error instanceof Error) return error.message
  return asAtelierError(error).message
}
