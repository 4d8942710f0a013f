import type { Clock } from '../core/index.ts'
import type { Capacity } from './capacity.ts'
import { chooseEvictions, type Spare } from './decisions/evict.ts'
import { mustYield, nextClaim } from './decisions/fair.ts'
import { startsWanted } from './decisions/starts.ts'
import type { Fleet } from './fleet.ts'
import type { Fleets } from './fleets.ts'
import type { Instance } from './instance.ts'
import type { WarmShelves } from './warm.ts'

interface SchedulerOptions {
  readonly clock: Clock
  readonly startsMax: number
  readonly capacity: Capacity
  readonly fleets: Fleets
  readonly warm: WarmShelves
  /** How many projects there are on this platform. */
  readonly projectCount: () => number
  /** Begins a start; reports `started` at once and `settled` when it is over. */
  readonly start: (fleet: Fleet, generic: Instance | undefined) => void
  readonly evict: (instance: Instance) => void
}

/** Decides whose instance is started next, within what the machine has, and who makes room for it. */
export class Scheduler {
  /** The fleet whose turn it is, while the machine has no room for it. */
  starved: Fleet | undefined
  readonly #options: SchedulerOptions
  /** Fleets that may want starts; at most one entry for each fleet. */
  readonly #hungry = new Set<Fleet>()
  #underWay = 0
  #isClosed = false

  constructor(options: SchedulerOptions) {
    this.#options = options
  }

  /** Whether starts for calls are under way or asked for. */
  get isBusy(): boolean {
    return this.#underWay > 0 || this.#hungry.size > 0
  }

  /** `fleet` may want more instances now. */
  want(fleet: Fleet): void {
    this.#hungry.add(fleet)
    this.pump()
  }

  started(): void {
    this.#underWay++
  }

  settled(fleet: Fleet): void {
    this.#underWay--
    this.want(fleet)
  }

  /** Starts what is wanted, fairest first, until nothing is or the machine is full. */
  pump(): void {
    this.starved = undefined
    while (!this.#isClosed && this.#underWay < this.#options.startsMax) {
      const fleet = this.#next()
      if (fleet === undefined) return
      const generic = this.#options.warm.peek(fleet.version)
      if (!this.#fitsShare(fleet)) {
        // It waits for its own project's instances, and stands in nobody's way.
        this.#hungry.delete(fleet)
        this.#lookAgain(fleet)
      } else if (!this.#makeRoom(fleet, generic)) {
        // Calls wait; what is only to be kept warm must not take anything from anybody.
        if (fleet.line.length > 0) {
          this.starved = fleet
          return
        }
        this.#hungry.delete(fleet)
        this.#lookAgain(fleet)
      } else this.#options.start(fleet, generic)
    }
  }

  /** Whether an instance that would serve its own waiting calls next must go instead, for the starved fleet. */
  mustGiveWay(instance: Instance): boolean {
    const { starved } = this
    const own = instance.fleet
    if (!starved || !own || own === starved || own.line.length === 0) return false
    const { capacity } = this.#options
    const need = starved.version.limits.memoryMiB
    const missing = capacity.missing(need, 1)
    const comingMiB = capacity.leavingMiB + capacity.yieldingMiB
    const comingInstances = capacity.leavingInstances + capacity.yieldingInstances
    if (missing.memoryMiB <= comingMiB && missing.instances <= comingInstances) return false
    const sameProject = own.version.projectId === starved.version.projectId
    const [held, theirs] = sameProject
      ? [own.memoryMiB, starved.memoryMiB]
      : [
          capacity.projectMemoryMiB(own.version.projectId),
          capacity.projectMemoryMiB(starved.version.projectId),
        ]
    return mustYield(held, instance.memoryMiB, theirs, need)
  }

  close(): void {
    this.#isClosed = true
    for (const fleet of this.#options.fleets.all()) fleet.cancelLook?.()
  }

  #next(): Fleet | undefined {
    const { clock, capacity } = this.#options
    const now = clock.monotonic()
    const fleets: Fleet[] = []
    for (const fleet of this.#hungry) {
      if (fleet.restUntil <= now && startsWanted(fleet.demand(now)) > 0) fleets.push(fleet)
      else {
        this.#hungry.delete(fleet)
        this.#lookAgain(fleet)
      }
    }
    const claims = fleets.map(fleet => ({
      projectMemoryMiB: capacity.projectMemoryMiB(fleet.version.projectId),
      projectServedAt: capacity.projectServedAt(fleet.version.projectId),
      versionMemoryMiB: fleet.memoryMiB,
      waitingSince: fleet.line.since,
    }))
    return fleets[nextClaim(claims)]
  }

  /**
   * True when a start keeps the project within what one may hold where there are several. Otherwise removes idle instances of
   * the project's other functions, and their going calls `pump` again.
   */
  #fitsShare(fleet: Fleet): boolean {
    const { capacity, projectCount, fleets, evict } = this.#options
    const { projectId, limits } = fleet.version
    if (projectCount() < 2) return true
    const missing = capacity.missingOfShare(projectId, limits.memoryMiB, 1)
    if (missing.memoryMiB === 0 && missing.instances === 0) return true
    if (fleet.line.length === 0 || capacity.leavingInstances > 0) return false // or enough is leaving already
    const idle: Instance[] = []
    for (const other of fleets.all())
      if (other !== fleet && other.version.projectId === projectId)
        for (const instance of other.open) if (instance.inFlight === 0) idle.push(instance)
    const spares = idle.map(instance => this.#asSpare(instance))
    const projectMemoryMiB = capacity.projectMemoryMiB(projectId)
    for (const index of chooseEvictions(spares, { ...missing, projectMemoryMiB, needMiB: limits.memoryMiB }))
      evict(idle[index]!)
    return false
  }

  /** True when a start fits now. Otherwise removes spare instances, if that helps, and their going calls `pump` again. */
  #makeRoom(fleet: Fleet, generic: Instance | undefined): boolean {
    const { capacity } = this.#options
    const needMiB = fleet.version.limits.memoryMiB
    const missing = capacity.missing(needMiB - (generic?.memoryMiB ?? 0), generic ? 0 : 1)
    if (missing.memoryMiB === 0 && missing.instances === 0) return true
    if (fleet.line.length === 0) return false
    const memoryMiB = missing.memoryMiB - capacity.leavingMiB
    const instances = missing.instances - capacity.leavingInstances
    if (memoryMiB <= 0 && instances <= 0) return false // enough is leaving already
    const idle = this.#spares(fleet, generic)
    const spares = idle.map(instance => this.#asSpare(instance))
    const projectMemoryMiB = capacity.projectMemoryMiB(fleet.version.projectId)
    for (const index of chooseEvictions(spares, { memoryMiB, instances, projectMemoryMiB, needMiB }))
      this.#options.evict(idle[index]!)
    return false
  }

  #spares(fleet: Fleet, generic: Instance | undefined): Instance[] {
    const idle: Instance[] = []
    for (const instance of this.#options.warm.all()) if (instance !== generic) idle.push(instance)
    for (const other of this.#options.fleets.all())
      if (other !== fleet) for (const instance of other.open) if (instance.inFlight === 0) idle.push(instance)
    return idle
  }

  #asSpare(instance: Instance): Spare {
    const { fleet } = instance
    return {
      memoryMiB: instance.memoryMiB,
      generic: fleet === undefined,
      idleSince: instance.idleSince,
      kept: fleet !== undefined && fleet.serving.size <= fleet.instancesMin,
      projectMemoryMiB: this.#options.capacity.projectMemoryMiB(instance.projectId),
    }
  }

  /** Averages may deceive and rests end: looks at the demand again in a while, as long as calls wait or some are to be kept. */
  #lookAgain(fleet: Fleet): void {
    if (fleet.cancelLook || this.#isClosed) return
    const { clock } = this.#options
    const served = fleet.serving.size + fleet.starting
    const isKept = served < fleet.instancesMin
    if (fleet.line.length === 0 && !isKept) return
    if (!isKept && served >= Math.max(1, fleet.version.scaling.instancesMax)) return
    const restMs = fleet.restUntil - clock.monotonic()
    fleet.cancelLook = clock.after(Math.max(fleet.startMs, restMs, isKept ? KEEP_LOOK_MS : 0), () => {
      fleet.cancelLook = undefined
      this.want(fleet)
    })
  }
}

const KEEP_LOOK_MS = 1_000 // between looks for room for what is only to be kept warm
