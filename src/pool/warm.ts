import type { Clock, TableVersion } from '../core/index.ts'
import type { Instance } from './instance.ts'

const RETRY_MS_MIN = 1_000
const RETRY_MS_MAX = 60_000
const POSTPONED_MS_MAX = 2_000 // then one is started though calls still ask for instances: the burst seems to be the rule

/** What the warm shelves need from the pool. */
export interface WarmHost {
  readonly clock: Clock
  readonly refillDelayMs: number
  /** Whether calls ask for instances at this moment. */
  isBusyStarting(): boolean
  /** Whose generic instances a version uses. */
  environmentOf(version: TableVersion): string
  /** Whether a generic instance fits without removing anything, and a start is free. */
  canStart(): boolean
  /** Starts one; resolves with it, or with `undefined` when that failed (already reported). */
  start(environment: string): Promise<Instance | undefined>
}

interface Shelf {
  readonly size: number
  /** Nothing is kept until the environment is used. */
  asleep: boolean
  readonly ready: Instance[]
  starting: number
  failures: number
  retryAt: number
}

/** Generic instances, ready to become any version of their environment; a shelf for each environment. */
export class WarmShelves {
  readonly #host: WarmHost
  readonly #shelves = new Map<string, Shelf>()
  #cancelRefill: (() => void) | undefined
  #postponedSince: number | undefined
  #isClosed = false

  constructor(host: WarmHost, sizes: ReadonlyMap<string, number>, asleep: ReadonlySet<string> = new Set()) {
    this.#host = host
    for (const [environment, size] of sizes)
      this.#shelves.set(environment, {
        size,
        asleep: asleep.has(environment),
        ready: [],
        starting: 0,
        failures: 0,
        retryAt: 0,
      })
    this.refillSoon(0)
  }

  /** Calls of this version may come: from now on generic instances are kept for it. */
  wake(version: TableVersion): void {
    if (version.contract !== undefined) return // its processes are started for it
    const shelf = this.#shelves.get(this.#host.environmentOf(version))
    if (!shelf?.asleep) return
    shelf.asleep = false
    this.refillSoon(0)
  }

  /** The generic instance that would be taken next for `version`. */
  peek(version: TableVersion): Instance | undefined {
    const { contract, limits } = version
    if (contract !== undefined) return undefined // its processes are started for it
    const next = this.#shelves.get(this.#host.environmentOf(version))?.ready.at(-1)
    return next?.sandbox.fits(limits) ? next : undefined
  }

  /** Takes `instance` off its shelf, for a version or because it goes. */
  remove(instance: Instance): void {
    const ready = this.#shelves.get(instance.environment)?.ready
    const index = ready?.indexOf(instance) ?? -1
    if (ready === undefined || index < 0) return
    ready.splice(index, 1)
    this.refillSoon()
  }

  /** Every generic instance that is ready. */
  *all(): Iterable<Instance> {
    for (const { ready } of this.#shelves.values()) yield* ready
  }

  /** Fills up again after a calm moment. Call it whenever there may be room or need. */
  refillSoon(delayMs: number = this.#host.refillDelayMs): void {
    if (this.#isClosed || this.#cancelRefill !== undefined || !this.#isWanting()) return
    this.#cancelRefill = this.#host.clock.after(delayMs, () => {
      this.#cancelRefill = undefined
      this.#refill()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancelRefill?.()
    this.#cancelRefill = undefined
  }

  #isWanting(): boolean {
    for (const shelf of this.#shelves.values())
      if (!shelf.asleep && shelf.ready.length + shelf.starting < shelf.size) return true
    return false
  }

  #refill(): void {
    const now = this.#host.clock.monotonic()
    if (this.#host.isBusyStarting()) {
      this.#postponedSince ??= now
      if (now - this.#postponedSince < POSTPONED_MS_MAX) return this.refillSoon()
    }
    this.#postponedSince = undefined
    let retryMs: number | undefined
    for (const [environment, shelf] of this.#shelves) {
      if (shelf.asleep || shelf.ready.length + shelf.starting >= shelf.size) continue
      if (shelf.retryAt > now) retryMs = Math.min(retryMs ?? RETRY_MS_MAX, shelf.retryAt - now)
      // One at a time for each environment: the next is asked for when this one is ready.
      else if (shelf.starting === 0 && this.#host.canStart()) void this.#startOne(environment, shelf)
    }
    if (retryMs !== undefined) this.refillSoon(retryMs)
  }

  async #startOne(environment: string, shelf: Shelf): Promise<void> {
    shelf.starting++
    const instance = await this.#host.start(environment)
    shelf.starting--
    if (instance !== undefined) {
      shelf.failures = 0
      shelf.ready.push(instance)
    } else {
      const wait = RETRY_MS_MIN * 2 ** Math.min(shelf.failures++, 10)
      shelf.retryAt = this.#host.clock.monotonic() + Math.min(RETRY_MS_MAX, wait)
    }
    this.refillSoon(0)
  }
}
