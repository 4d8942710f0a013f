import { mkdirSync } from 'node:fs'
import type { Cgroup, CgroupLimits, CgroupTree } from './cgroup.ts'
import {
  emptyAndRemove,
  groupsIn,
  keyedNumber,
  killProcesses,
  processesIn,
  readControl,
  tryControl,
  tryRemove,
  writeControl,
} from './files.ts'

const CPU_PERIOD_US = 100_000
const CPU_QUOTA_US_MIN = 1_000 // the kernel takes no less
const NS_PER_MS = 1_000_000
const UNLIMITED = -1

type Controller = 'memory' | 'pids' | 'cpu' | 'cpuacct'

/** Cgroup version 1: one hierarchy for each controller, so a sandbox is a folder in each. */
export class CgroupTreeV1 implements CgroupTree {
  readonly version = 1
  readonly controllers: ReadonlySet<'memory' | 'pids' | 'cpu'>
  readonly #roots: Readonly<Partial<Record<Controller, string>>>

  /** `roots`: our own folder in each hierarchy that is writable. */
  constructor(roots: Readonly<Partial<Record<Controller, string>>>) {
    this.#roots = roots
    this.controllers = new Set((['memory', 'pids', 'cpu'] as const).filter(name => roots[name] !== undefined))
  }

  create(id: string): Cgroup {
    for (const root of this.#places()) mkdirSync(`${root}/${id}`, { recursive: true })
    return this.open(id)
  }

  open(id: string): Cgroup {
    const at = (controller: Controller) => {
      const root = this.#roots[controller]
      return root === undefined ? undefined : `${root}/${id}`
    }
    return new CgroupV1(
      { memory: at('memory'), pids: at('pids'), cpu: at('cpu'), cpuacct: at('cpuacct') },
      this.#places().map(root => `${root}/${id}`),
    )
  }

  list(): string[] {
    return [...new Set(this.#places().flatMap(groupsIn))]
  }

  close(): void {
    for (const root of this.#places()) tryRemove(root)
  }

  /** Each folder once: cpu and cpuacct are one hierarchy on most machines. */
  #places(): string[] {
    return [...new Set(Object.values(this.#roots))]
  }
}

class CgroupV1 implements Cgroup {
  readonly #at: Readonly<Record<Controller, string | undefined>>
  readonly #all: readonly string[]
  #memoryBytesMax = 0
  /** What is the same for all limits has been said. */
  #isLimited = false

  constructor(at: Readonly<Record<Controller, string | undefined>>, all: readonly string[]) {
    this.#at = at
    this.#all = all
  }

  add(pid: number): void {
    for (const directory of this.#all) writeControl(`${directory}/cgroup.procs`, pid)
  }

  limit({ memoryBytes, cpuMillicores, tasks }: CgroupLimits): void {
    const { memory, pids, cpu } = this.#at
    const isFirst = !this.#isLimited
    this.#isLimited = true
    if (memory !== undefined) {
      const own = () => writeControl(`${memory}/memory.limit_in_bytes`, memoryBytes)
      // The limit with swap may never be the lower of the two, not even between two writes.
      const withSwap = () => tryControl(`${memory}/memory.memsw.limit_in_bytes`, memoryBytes)
      if (memoryBytes > this.#memoryBytesMax && this.#memoryBytesMax > 0) {
        withSwap()
        own()
      } else {
        own()
        withSwap()
      }
      if (isFirst) tryControl(`${memory}/memory.swappiness`, 0)
      this.#memoryBytesMax = memoryBytes
    }
    if (pids !== undefined) writeControl(`${pids}/pids.max`, tasks)
    if (cpu !== undefined) {
      if (isFirst) tryControl(`${cpu}/cpu.cfs_period_us`, CPU_PERIOD_US)
      const quota = cpuMillicores === undefined ? UNLIMITED : (cpuMillicores * CPU_PERIOD_US) / 1000
      writeControl(
        `${cpu}/cpu.cfs_quota_us`,
        quota < 0 ? quota : Math.max(CPU_QUOTA_US_MIN, Math.round(quota)),
      )
    }
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    const { memory, cpuacct } = this.#at
    return {
      memoryBytes: memory === undefined ? 0 : Number(readControl(`${memory}/memory.usage_in_bytes`)),
      memoryPeakBytes: memory === undefined ? 0 : Number(readControl(`${memory}/memory.max_usage_in_bytes`)),
      cpuMs: cpuacct === undefined ? 0 : Number(readControl(`${cpuacct}/cpuacct.usage`)) / NS_PER_MS,
    }
  }

  resetPeak(): void {
    if (this.#at.memory !== undefined) tryControl(`${this.#at.memory}/memory.max_usage_in_bytes`, 0)
  }

  outOfMemory(): boolean {
    const { memory } = this.#at
    return memory !== undefined && keyedNumber(readControl(`${memory}/memory.oom_control`), 'oom_kill') > 0
  }

  processes(): number[] {
    return [...new Set(this.#all.flatMap(processesIn))]
  }

  async remove(): Promise<void> {
    await Promise.all(
      this.#all.map(directory =>
        emptyAndRemove(directory, () => {
          // With no room for a new process, killing cannot be outrun by forking.
          if (this.#at.pids !== undefined) tryControl(`${this.#at.pids}/pids.max`, 0)
          killProcesses(processesIn(directory))
        }),
      ),
    )
  }
}
