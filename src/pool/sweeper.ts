import type { Clock } from '../core/index.ts'
import { keepAliveMs, surplusKeepAliveMs } from './decisions/keep-alive.ts'
import type { Fleet } from './fleet.ts'
import type { Fleets } from './fleets.ts'
import type { Instance } from './instance.ts'
import type { PoolPolicy } from './options.ts'

interface SweeperOptions {
  readonly clock: Clock
  readonly policy: PoolPolicy
  readonly fleets: Fleets
  readonly end: (instance: Instance, why: string) => void
  /** This idle instance behaves oddly. */
  readonly suspect: (instance: Instance) => void
}

const CPU_LOOK_EVERY = 5 // sweeps between two looks at what idle instances compute: a look costs a read from the kernel

/** Every so often recycles what has lain unused for too long, and looks for idle instances that are not idle. Sleeps when there is nothing. */
export class Sweeper {
  readonly #options: SweeperOptions
  #cancel: (() => void) | undefined
  #isClosed = false
  #sweeps = 0

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** There is something idle. */
  wake(): void {
    if (this.#cancel !== undefined || this.#isClosed) return
    this.#cancel = this.#options.clock.after(this.#options.policy.sweepMs, () => {
      this.#cancel = undefined
      this.#sweep()
    })
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
  }

  #sweep(): void {
    const { clock, fleets } = this.#options
    const now = clock.monotonic()
    this.#sweeps++
    let isLeft = false
    for (const fleet of fleets.all()) {
      this.#recycle(fleet, now)
      if (this.#sweeps % CPU_LOOK_EVERY === 0) this.#lookAtCpu(fleet)
      if (fleet.isForgettable(now)) fleets.forget(fleet)
      else isLeft = true
    }
    if (isLeft) this.wake()
  }

  #recycle(fleet: Fleet, now: number): void {
    const { policy } = this.#options
    const idle = fleet.open
      .filter(instance => instance.inFlight === 0)
      .sort((a, b) => a.idleSince - b.idleSince)
    if (idle.length === 0) return
    const keepMs = keepAliveMs(fleet.rhythm.gaps, policy.keepAlive, fleet.version.scaling.idleMs)
    const surplusMs = surplusKeepAliveMs(keepMs, policy.keepAlive)
    let spare = fleet.serving.size - fleet.instancesMin
    for (const instance of idle) {
      // While another instance serves, even the last idle one is there for peaks only.
      const limitMs = fleet.serving.size > 1 ? surplusMs : keepMs
      if (spare <= 0 || now - instance.idleSince < limitMs) return
      spare--
      this.#options.end(instance, 'it was not used')
    }
  }

  /** Code that computes on while no call pays for it, or hangs: ask whether it lives. */
  #lookAtCpu(fleet: Fleet): void {
    const { policy } = this.#options
    const mostMs = policy.idleCpuShare * policy.sweepMs * CPU_LOOK_EVERY
    for (const instance of fleet.open) {
      if (instance.inFlight > 0) continue
      const { cpuMs } = instance.sandbox.usage()
      if (instance.idleCpuMs !== undefined && cpuMs - instance.idleCpuMs > mostMs)
        this.#options.suspect(instance)
      instance.idleCpuMs = cpuMs
    }
  }
}
