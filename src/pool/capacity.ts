import type { Instance } from './instance.ts'
import type { PoolLimits } from './options.ts'

const SHARE_KEPT_FROM_ONE = 1 / 8

interface ProjectUse {
  memoryMiB: number
  instances: number
  servedAt: number
}

/** What of the machine is given away, and to which project. Memory is counted by limits, until a sandbox is really gone. */
export class Capacity {
  memoryMiB = 0
  instances = 0
  /** Of these, what leaving instances will give back soon. */
  leavingMiB = 0
  leavingInstances = 0
  /** Of these, what instances will give back that take nothing new but still hold calls. */
  yieldingMiB = 0
  yieldingInstances = 0
  readonly #limits: PoolLimits
  readonly #projects = new Map<string, ProjectUse>()
  #turn = 0

  constructor(limits: PoolLimits) {
    this.#limits = limits
  }

  /** Whether a start that needs so much could ever fit. */
  couldFit(memoryMiB: number): boolean {
    return memoryMiB <= this.#limits.memoryMiBMax && this.#limits.instancesMax >= 1
  }

  /** What is missing for a start that needs so much; zeros when it fits. */
  missing(memoryMiB: number, instances: number): { memoryMiB: number; instances: number } {
    return {
      memoryMiB: Math.max(0, this.memoryMiB + memoryMiB - this.#limits.memoryMiBMax),
      instances: Math.max(0, this.instances + instances - this.#limits.instancesMax),
    }
  }

  /**
   * What `projectId` holds too much for a start that needs so much, where other projects could want something as well: the
   * last eighth of the machine is kept from a project that holds all the rest, since calls may run for hours.
   */
  missingOfShare(
    projectId: string,
    memoryMiB: number,
    instances: number,
  ): { memoryMiB: number; instances: number } {
    const { memoryMiBMax, instancesMax } = this.#limits
    const use = this.#projects.get(projectId)
    const shareMiB = memoryMiBMax - Math.floor(memoryMiBMax * SHARE_KEPT_FROM_ONE)
    const shareInstances = Math.max(1, instancesMax - Math.ceil(instancesMax * SHARE_KEPT_FROM_ONE))
    // A version that alone is larger than the share may still have one instance.
    if (use === undefined) return { memoryMiB: 0, instances: 0 }
    return {
      memoryMiB: Math.max(0, use.memoryMiB + memoryMiB - shareMiB),
      instances: Math.max(0, use.instances + instances - shareInstances),
    }
  }

  projectMemoryMiB(projectId: string | undefined): number {
    return projectId === undefined ? 0 : (this.#projects.get(projectId)?.memoryMiB ?? 0)
  }

  projectServedAt(projectId: string): number {
    return this.#projects.get(projectId)?.servedAt ?? 0
  }

  take(instance: Instance): void {
    this.memoryMiB += instance.memoryMiB
    this.instances++
    this.#charge(instance, 1)
  }

  /** A generic instance becomes a project's. */
  convert(instance: Instance, memoryMiB: number, projectId: string): void {
    this.memoryMiB += memoryMiB - instance.memoryMiB
    instance.memoryMiB = memoryMiB
    instance.projectId = projectId
    this.#charge(instance, 1)
  }

  yields(instance: Instance): void {
    instance.isYielding = true
    this.yieldingMiB += instance.memoryMiB
    this.yieldingInstances++
  }

  leaving(instance: Instance): void {
    if (instance.isYielding) {
      this.yieldingMiB -= instance.memoryMiB
      this.yieldingInstances--
    }
    this.leavingMiB += instance.memoryMiB
    this.leavingInstances++
  }

  giveBack(instance: Instance): void {
    this.memoryMiB -= instance.memoryMiB
    this.instances--
    this.leavingMiB -= instance.memoryMiB
    this.leavingInstances--
    this.#charge(instance, -1)
  }

  #charge({ projectId, memoryMiB }: Instance, sign: 1 | -1): void {
    if (projectId === undefined) return
    let use = this.#projects.get(projectId)
    if (use === undefined) {
      use = { memoryMiB: 0, instances: 0, servedAt: 0 }
      this.#projects.set(projectId, use)
    }
    use.memoryMiB += sign * memoryMiB
    use.instances += sign
    if (sign > 0) use.servedAt = ++this.#turn
    // A project without instances is forgotten: that it holds nothing puts it first anyway.
    if (use.instances === 0) this.#projects.delete(projectId)
  }
}
