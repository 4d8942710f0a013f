import type { LinkFailure } from '../contracts/index.ts'
import type { Clock, LogLine, TableVersion } from '../core/index.ts'
import { Capacity } from './capacity.ts'
import { Fleet } from './fleet.ts'
import { Fleets } from './fleets.ts'
import type { Instance } from './instance.ts'
import type { SlotLease } from './lease.ts'
import { Nursery, type NurseryHost } from './nursery.ts'
import { type PoolOptions, type PoolPolicy, poolPolicy, sleepers, warmSizes } from './options.ts'
import type { InstanceView, Lease, Pool, PoolStats } from './pool.ts'
import { lineFull, stopping, tooBig, waitedTooLong } from './refusals.ts'
import { Scheduler } from './scheduler.ts'
import { countStates, isLeaving } from './states.ts'
import { Sweeper } from './sweeper.ts'
import { environmentOf, inEachTier } from './tiers.ts'
import { WarmShelves } from './warm.ts'
import { tableConsequences, watchTable } from './watch.ts'

/** Opens a pool. It starts generic instances and what `instancesMin` asks for at once, in the background. */
export function createPool(options: PoolOptions): Pool {
  return new InstancePool({ ...options, environments: inEachTier(options.environments) })
}

/**
 * Where calls meet instances. The short way: a call takes the instance used last that has room, and gives the slot back to the oldest waiting
 * call. Behind it, `Scheduler` decides whose is started next, `Starter` starts it, `Sweeper` recycles, `WarmShelves` keeps generic ones.
 */
class InstancePool implements Pool, NurseryHost {
  readonly clock: Clock
  readonly onLog: (line: LogLine) => void
  readonly memorySampleMs: number
  readonly exitGraceMs: number
  readonly exitReasonMs: number
  readonly #options: PoolOptions
  readonly #policy: PoolPolicy
  readonly #fleets = new Fleets()
  readonly #capacity: Capacity
  readonly #nursery: Nursery
  readonly #warm: WarmShelves
  readonly #scheduler: Scheduler
  readonly #sweeper: Sweeper
  readonly #unwatch: () => void
  #inFlight = 0
  #evicted = 0
  #isClosing = false
  #onQuiet: (() => void) | undefined

  constructor(options: PoolOptions) {
    const policy = poolPolicy(options.policy)
    this.#options = options
    this.#policy = policy
    this.clock = options.clock
    this.onLog = options.onLog
    this.memorySampleMs = policy.memorySampleMs
    this.exitGraceMs = policy.exitGraceMs
    this.exitReasonMs = policy.exitReasonMs
    this.#capacity = new Capacity(options.limits)
    this.#nursery = new Nursery(this, this.#capacity, options, policy)
    this.#warm = new WarmShelves(
      {
        clock: options.clock,
        refillDelayMs: policy.refillDelayMs,
        isBusyStarting: () => this.#scheduler.isBusy,
        canStart: () => this.#canStartGeneric(),
        environmentOf: version => environmentOf(version, options.table),
        start: environment => this.#nursery.startGeneric(environment),
      },
      warmSizes(options, policy),
      sleepers(options),
    )
    this.#scheduler = new Scheduler({
      clock: options.clock,
      startsMax: policy.startsMax,
      capacity: this.#capacity,
      fleets: this.#fleets,
      warm: this.#warm,
      projectCount: () => options.table.projects.size,
      start: (fleet, generic) => {
        if (generic) this.#warm.remove(generic)
        this.#nursery.startFor(fleet, generic)
      },
      evict: instance => {
        this.#evicted++
        this.end(instance, 'at once', 'its memory was needed')
      },
    })
    this.#sweeper = new Sweeper({
      clock: options.clock,
      policy,
      fleets: this.#fleets,
      end: (instance, why) => this.end(instance, 'kindly', why),
      suspect: instance => this.#askWhetherItLives(instance),
    })
    const consequences = tableConsequences(this.#fleets, this.#scheduler, this.#warm, id => this.retire(id))
    this.#unwatch = watchTable(options.table, options.clock, policy.retireAfterMs, consequences)
  }

  tryAcquire(version: TableVersion): Lease | undefined {
    const fleet = this.#fleets.get(version.id)
    const instance = fleet?.open.at(-1)
    return instance === undefined || this.#isClosing ? undefined : this.#give(fleet!, instance)
  }

  async acquire(version: TableVersion, waitMs: number, signal: AbortSignal | undefined): Promise<Lease> {
    if (this.#isClosing) throw stopping()
    const ready = this.tryAcquire(version)
    if (ready) return ready
    const now = this.clock.monotonic()
    const fleet = this.#fleets.ensure(version)
    fleet.isRetired = false
    this.#sweeper.wake()
    if (fleet.lastError && fleet.restUntil > now && fleet.serving.size === 0) throw fleet.lastError
    if (!this.#capacity.couldFit(version.limits.memoryMiB)) throw tooBig(version)
    if (fleet.line.length >= this.#policy.pendingMax) throw lineFull(fleet)
    const slot = fleet.line.join({
      since: now,
      expire: callback => this.clock.after(waitMs, callback),
      expired: () => waitedTooLong(fleet, waitMs),
      signal,
      onLeave: () => this.#checkQuiet(),
    })
    this.#scheduler.want(fleet)
    return slot
  }

  onReleased(instance: Instance, outcome: 'ok' | 'suspect' | 'broken', heldMs: number): void {
    const fleet = instance.fleet!
    this.#inFlight--
    fleet.inFlight--
    fleet.noteRun(heldMs)
    if (fleet.inFlight === 0) fleet.rhythm.quietSince = instance.idleSince
    if ((outcome === 'broken' || instance.isSpent) && !isLeaving(instance.state)) {
      instance.drain()
      fleet.remove(instance)
      this.#scheduler.want(fleet)
    }
    if (!isLeaving(instance.state)) {
      this.offer(fleet, instance)
      if (outcome === 'suspect') this.#askWhetherItLives(instance)
    } else if (instance.inFlight === 0) this.end(instance, outcome === 'broken' ? 'at once' : 'kindly')
    if (this.#isClosing) this.#checkQuiet()
  }

  onClosed(instance: Instance, failure: LinkFailure): void {
    // One that still starts is ended by who starts it, which also learns the reason.
    if (instance.state === 'starting' || instance.state === 'specialising') return
    const { fleet } = instance
    if (!isLeaving(instance.state) && failure.kind === 'violation')
      instance.voice.note(`The instance is ended: ${failure.detail}`)
    this.end(instance, failure.kind === 'violation' ? 'at once' : 'kindly')
    if (fleet) this.#scheduler.want(fleet)
  }

  onGone(instance: Instance): void {
    this.#nursery.instances.delete(instance.id)
    this.#capacity.giveBack(instance)
    this.#scheduler.pump()
    this.#warm.refillSoon()
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  onStarting(): void {
    this.#scheduler.started()
  }

  onSettled(fleet: Fleet): void {
    this.#scheduler.settled(fleet)
    if (this.#isClosing) this.#checkQuiet()
  }

  onTrouble(message: string, cause: unknown): void {
    this.#options.onTrouble(message, cause)
  }

  instances(): readonly InstanceView[] {
    return [...this.#nursery.instances.values()].map(instance => instance.view())
  }

  stats(): PoolStats {
    return {
      instances: countStates(this.#nursery.instances.values()),
      memoryReservedMiB: this.#capacity.memoryMiB,
      inFlight: this.#inFlight,
      waiting: this.#fleets.waiting,
      ...this.#nursery.counts,
      evicted: this.#evicted,
    }
  }

  retire(versionId: string): void {
    const fleet = this.#fleets.get(versionId)
    if (!fleet) return
    fleet.isRetired = true
    for (const instance of fleet.serving)
      if (instance.inFlight === 0) this.end(instance, 'kindly', 'its version is no longer used')
  }

  async kill(instanceId: string, reason: string): Promise<boolean> {
    const instance = this.#nursery.instances.get(instanceId)
    if (!instance) return false
    const { fleet } = instance
    this.end(instance, 'at once', reason)
    instance.link?.destroy()
    if (fleet) this.#scheduler.want(fleet)
    await instance.end('at once')
    return true
  }

  async close(graceMs: number): Promise<void> {
    this.#isClosing = true
    this.#unwatch()
    this.#sweeper.close()
    this.#warm.close()
    const quiet = new Promise<void>(resolve => {
      this.#onQuiet = resolve
      this.clock.after(graceMs, resolve)
      this.#checkQuiet()
    })
    await quiet
    this.#scheduler.close()
    for (const fleet of this.#fleets.all()) fleet.line.failAll(stopping())
    const all = [...this.#nursery.instances.values()]
    for (const instance of all) {
      this.end(instance, 'at once', 'the server stops')
      instance.link?.destroy()
    }
    await Promise.all(all.map(instance => instance.end('at once')))
  }

  #give(fleet: Fleet, instance: Instance): SlotLease {
    const now = this.clock.monotonic()
    fleet.noteCall(now, this.#policy.keepAlive.idleMsMin)
    this.#inFlight++
    const lease = instance.lease(now)
    if (!instance.hasRoom) fleet.closeUp(instance)
    return lease
  }

  /** An instance has room: for the calls that wait, then for those to come. */
  offer(fleet: Fleet, instance: Instance): void {
    if (this.#scheduler.starved !== undefined && this.#scheduler.mustGiveWay(instance)) {
      this.#giveWay(fleet, instance)
      return
    }
    while (fleet.line.length > 0 && instance.hasRoom) fleet.line.serve(this.#give(fleet, instance))
    if (!instance.hasRoom) return
    fleet.openUp(instance)
    if (instance.inFlight > 0) return
    if (fleet.isRetired) this.end(instance, 'kindly', 'its version is no longer used')
    else {
      this.#sweeper.wake()
      if (this.#scheduler.starved !== undefined) this.#scheduler.pump()
    }
  }

  #canStartGeneric(): boolean {
    const { memoryMiB, instances } = this.#capacity.missing(this.#policy.genericMemoryMiB, 1)
    return memoryMiB === 0 && instances === 0 && this.#scheduler.starved === undefined
  }

  /** It takes nothing new, and goes when its calls are over, so that another gets its share. */
  #giveWay(fleet: Fleet, instance: Instance): void {
    if (instance.inFlight === 0) this.end(instance, 'kindly', 'another waited for its share of the machine')
    else {
      instance.drain()
      fleet.remove(instance)
      this.#capacity.yields(instance)
    }
    this.#scheduler.want(fleet)
  }

  /** The one way an instance ends. What it held is given back when it is gone. */
  end(instance: Instance, how: 'kindly' | 'at once', because?: string): void {
    if (because !== undefined) instance.endedBecause ??= because
    if (instance.isEnding) return
    instance.fleet?.remove(instance)
    this.#warm.remove(instance)
    this.#capacity.leaving(instance)
    void instance.end(how)
  }

  #askWhetherItLives(instance: Instance): void {
    void instance.link.ping(this.#policy.pingMs).then(lives => {
      // One that runs calls may be too busy to answer; its calls have deadlines.
      if (!lives && instance.state === 'idle') this.end(instance, 'at once', 'it did not answer')
    })
  }

  #checkQuiet(): void {
    if (this.#onQuiet && this.#inFlight === 0 && this.#fleets.waiting === 0) this.#onQuiet()
  }
}
