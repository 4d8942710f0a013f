import type { Sandbox } from '../backends/index.ts'
import type { ContractCapabilities, Link, LinkFailure } from '../contracts/index.ts'
import type { Clock, LogLine, TableVersion } from '../core/index.ts'
import type { Fleet } from './fleet.ts'
import { SlotLease } from './lease.ts'
import type { InstanceState, InstanceView } from './pool.ts'
import { type InstanceEvent, isLeaving, nextState } from './states.ts'
import { plainName } from './tiers.ts'
import { Voice } from './voice.ts'

/** What an instance tells its pool. */
export interface InstanceKeeper {
  readonly clock: Clock
  readonly onLog: (line: LogLine) => void
  readonly memorySampleMs: number
  readonly exitGraceMs: number
  readonly exitReasonMs: number
  onReleased(instance: Instance, outcome: 'ok' | 'suspect' | 'broken', heldMs: number): void
  /** Its stream is over, by itself or by us. */
  onClosed(instance: Instance, failure: LinkFailure): void
  /** Everything it held is released. */
  onGone(instance: Instance): void
  onTrouble(message: string, cause: unknown): void
}

/** One sandbox and the conversation with it. Knows its state and its leases; who gets them is the pool's decision. */
export class Instance {
  readonly id: string
  readonly environment: string
  readonly voice: Voice
  readonly startedAt: number
  /** Aborted when it ends before its sandbox runs. */
  readonly startAbort = new AbortController()
  sandbox!: Sandbox
  link!: Link
  fleet: Fleet | undefined
  /** Project whose share of the machine it uses; none while it is generic. */
  projectId: string | undefined
  /** Reserved of the machine's memory. */
  memoryMiB: number
  slots = 1
  /** Calls that it serves in its life. */
  callsMax = Number.POSITIVE_INFINITY
  startingMs = 0
  initialisingMs = 0
  calls = 0
  /** Monotonic time since when it holds no call. */
  idleSince: number
  /** CPU used when it was last looked at idle; `undefined` when it has been busy since. */
  idleCpuMs: number | undefined
  /** Whether it stands in its fleet's list of instances with room. */
  isOpen = false
  isClosed = false
  /** It holds calls but must go after them, for another project's share. */
  isYielding = false
  endedBecause: string | undefined
  #state: InstanceState = 'starting'
  #sampledAt = Number.NEGATIVE_INFINITY
  #ending: Promise<void> | undefined
  readonly #keeper: InstanceKeeper

  constructor(id: string, environment: string, memoryMiB: number, keeper: InstanceKeeper) {
    this.id = id
    this.environment = environment
    this.memoryMiB = memoryMiB
    this.#keeper = keeper
    this.startedAt = keeper.clock.now()
    this.idleSince = keeper.clock.monotonic()
    this.voice = new Voice(id, keeper.clock, keeper.onLog)
  }

  get state(): InstanceState {
    return this.#state
  }

  get inFlight(): number {
    return this.voice.leases.length
  }

  get hasRoom(): boolean {
    return (
      this.voice.leases.length < this.slots &&
      this.calls < this.callsMax &&
      (this.#state === 'idle' || this.#state === 'busy')
    )
  }

  /** It has served all the calls of its life. */
  get isSpent(): boolean {
    return this.calls >= this.callsMax && this.inFlight === 0
  }

  get isEnding(): boolean {
    return this.#ending !== undefined
  }

  become(event: InstanceEvent): void {
    this.#state = nextState(this.#state, event)
  }

  /** It now loads this version: uses its memory, speaks for it, will offer its slots. */
  loadFor(version: TableVersion, { concurrency, callsMax }: ContractCapabilities): void {
    this.become('load')
    this.slots = concurrency ? version.limits.concurrency : 1
    if (callsMax !== undefined) this.callsMax = callsMax
    this.voice.speakFor(version)
  }

  /** Called by the contract when the stream is over. */
  closed(failure: LinkFailure): void {
    if (this.isClosed) return
    this.isClosed = true
    this.#keeper.onClosed(this, failure)
  }

  /** A slot; there must be room. */
  lease(now: number): SlotLease {
    this.become('lease')
    const { leases } = this.voice
    const lease = new SlotLease(this, leases.length, this.calls === 0, now)
    leases.push(lease)
    this.calls++
    this.idleCpuMs = undefined
    return lease
  }

  /** Called by the lease, once. */
  giveBack(lease: SlotLease, outcome: 'ok' | 'suspect' | 'broken'): void {
    const now = this.#keeper.clock.monotonic()
    const { leases } = this.voice
    const last = leases.pop()!
    if (last !== lease) {
      leases[lease.index] = last
      last.index = lease.index
    }
    this.voice.remember(lease, now)
    if (leases.length === 0) {
      this.idleSince = now
      if (this.#state === 'busy') this.become('rest')
    }
    this.#keeper.onReleased(this, outcome, now - lease.since)
  }

  /** See `Lease.memoryPeakBytes`. The first call's peak includes the loading: nothing was reset before. */
  memoryPeakBytes(always: boolean): number | undefined {
    const now = this.#keeper.clock.monotonic()
    if (!always && now - this.#sampledAt < this.#keeper.memorySampleMs) return undefined
    this.#sampledAt = now
    const { memoryPeakBytes } = this.sandbox.usage()
    this.sandbox.resetPeak()
    return memoryPeakBytes === 0 ? undefined : memoryPeakBytes
  }

  /** Takes nothing new from now on; what it holds may finish. */
  drain(): void {
    if (!isLeaving(this.#state)) this.become('drain')
  }

  /**
   * Ends it and releases what it holds. `kindly`: it may exit by itself first. Calls that still run fail. Never rejects.
   */
  end(how: 'kindly' | 'at once'): Promise<void> {
    this.drain()
    this.#ending ??= this.#end(how)
    return this.#ending
  }

  async #end(how: 'kindly' | 'at once'): Promise<void> {
    const { clock, exitGraceMs, exitReasonMs } = this.#keeper
    this.startAbort.abort()
    if (this.sandbox !== undefined) {
      const { sandbox } = this
      // A stream that closed by itself belongs to a process that is just ending: wait for the reason, a kill would hide it.
      if (this.isClosed && how === 'kindly') await within(clock, exitReasonMs, sandbox.exited)
      else if (how === 'kindly' && this.inFlight === 0) {
        this.link?.drain()
        await within(clock, exitGraceMs, sandbox.exited)
      }
      try {
        await sandbox.kill()
      } catch (thrown) {
        this.#keeper.onTrouble(`instance ${this.id} could not be removed`, thrown)
      }
      this.link?.destroy()
    }
    this.become('removed')
    this.#keeper.onGone(this)
  }

  view(): InstanceView {
    const version = this.fleet?.version
    const usable = this.sandbox !== undefined && this.#state !== 'gone'
    return {
      id: this.id,
      environment: plainName(this.environment),
      state: this.#state,
      ...(version && {
        projectId: version.projectId,
        functionId: version.functionId,
        version: version.number,
      }),
      inFlight: this.inFlight,
      calls: this.calls,
      startedAt: this.startedAt,
      memoryBytes: usable ? this.sandbox.usage().memoryBytes : 0,
    }
  }
}

/** Resolves with what `promise` resolves with, or with `undefined` after `delayMs`. */
export function within<T>(clock: Clock, delayMs: number, promise: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(delayMs, () => resolve(undefined))
    promise.then(resolve, reject).finally(cancel)
  })
}
