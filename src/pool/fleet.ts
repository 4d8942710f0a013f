import type { AtelierError, TableVersion } from '../core/index.ts'
import { type Gaps, noGaps, noteGap } from './decisions/keep-alive.ts'
import type { Demand } from './decisions/starts.ts'
import type { Instance } from './instance.ts'
import { WaitingLine } from './waiting.ts'

const START_MS_GUESS = 50 // before the first start was seen
const START_MS_MIN = 5
const START_MS_MAX = 2_000
const WEIGHT = 0.2 // of the newest value in a running average

/** How a function is called over time; outlives its versions' fleets. */
export interface Rhythm {
  /** `undefined` before there was a gap worth noting. */
  gaps: Gaps | undefined
  /** Monotonic time when it last had no call; `undefined` before the first. */
  quietSince: number | undefined
}

/** All instances of one version, and the calls that wait for them. */
export class Fleet {
  readonly version: TableVersion
  readonly rhythm: Rhythm
  readonly line = new WaitingLine()
  /** Loaded instances that are not leaving. */
  readonly serving = new Set<Instance>()
  /** Those with room, as a stack: the one used last is used next, so that what is too much falls idle. */
  readonly open: Instance[] = []
  /** Instances under way. */
  starting = 0
  inFlight = 0
  /** Kept warm; 0 while no alias points at the version. */
  instancesMin = 0
  /** Nothing is kept: an instance without a call goes. */
  isRetired = false
  /** Set while a later look at its demand is due. */
  cancelLook: (() => void) | undefined
  failures = 0
  /** No start before this monotonic time. */
  restUntil = Number.NEGATIVE_INFINITY
  lastError: AtelierError | undefined
  #runMs: number | undefined
  #startMs: number | undefined

  constructor(version: TableVersion, rhythm: Rhythm) {
    this.version = version
    this.rhythm = rhythm
  }

  /** How long a start takes on average, bounded to what is sensible to plan with. */
  get startMs(): number {
    return Math.min(START_MS_MAX, Math.max(START_MS_MIN, this.#startMs ?? START_MS_GUESS))
  }

  get runMs(): number | undefined {
    return this.#runMs
  }

  /** Memory limits of its instances, those under way included. */
  get memoryMiB(): number {
    return (this.serving.size + this.starting) * this.version.limits.memoryMiB
  }

  /** Nothing would be lost with it. */
  isForgettable(now: number): boolean {
    return (
      this.serving.size === 0 &&
      this.starting === 0 &&
      this.inFlight === 0 &&
      this.line.length === 0 &&
      this.instancesMin === 0 &&
      this.restUntil <= now
    )
  }

  demand(now: number): Demand {
    const { scaling, limits } = this.version
    return {
      waiting: this.line.length,
      overdue: this.line.countSince(now - this.startMs),
      starting: this.starting,
      serving: this.serving.size,
      slotsPerInstance: limits.concurrency,
      runMs: this.#runMs,
      startMs: this.startMs,
      instancesMin: Math.min(this.instancesMin, scaling.instancesMax),
      instancesMax: Math.max(1, scaling.instancesMax),
    }
  }

  /** A call begins; a quiet time of more than `gapMsMin` before it counts for how long instances are kept. */
  noteCall(now: number, gapMsMin: number): void {
    const { quietSince } = this.rhythm
    if (this.inFlight === 0 && quietSince !== undefined) {
      const gapMs = now - quietSince
      if (gapMs > gapMsMin) noteGap((this.rhythm.gaps ??= noGaps()), gapMs)
    }
    this.inFlight++
  }

  noteRun(ms: number): void {
    this.#runMs = this.#runMs === undefined ? ms : this.#runMs + WEIGHT * (ms - this.#runMs)
  }

  noteStart(ms: number): void {
    this.#startMs = this.#startMs === undefined ? ms : this.#startMs + WEIGHT * (ms - this.#startMs)
  }

  /** Offers the room of `instance` to coming calls. */
  openUp(instance: Instance): void {
    if (instance.isOpen || !instance.hasRoom) return
    instance.isOpen = true
    this.open.push(instance)
  }

  /** Takes `instance` off the list of those with room. */
  closeUp(instance: Instance): void {
    if (!instance.isOpen) return
    instance.isOpen = false
    // Nearly always the top of the stack, which is what calls are given.
    if (this.open.at(-1) === instance) this.open.pop()
    else this.open.splice(this.open.indexOf(instance), 1)
  }

  /** Forgets an instance that takes nothing new. */
  remove(instance: Instance): void {
    this.closeUp(instance)
    this.serving.delete(instance)
  }
}
