import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
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
const CPU_QUOTA_US_MIN = 1_000
const US_PER_MS = 1_000

/** Cgroup version 2: one hierarchy, a folder for each sandbox. */
export class CgroupTreeV2 implements CgroupTree {
  readonly version = 2
  readonly controllers: ReadonlySet<'memory' | 'pids' | 'cpu'>
  readonly #root: string

  /** `root`: our own folder, with `controllers` enabled for what is below it. */
  constructor(root: string, controllers: ReadonlySet<'memory' | 'pids' | 'cpu'>) {
    this.#root = root
    this.controllers = controllers
  }

  create(id: string): Cgroup {
    mkdirSync(`${this.#root}/${id}`, { recursive: true })
    return this.open(id)
  }

  open(id: string): Cgroup {
    return new CgroupV2(`${this.#root}/${id}`, this.controllers)
  }

  list(): string[] {
    return groupsIn(this.#root)
  }

  close(): void {
    tryRemove(this.#root)
  }
}

class CgroupV2 implements Cgroup {
  readonly #directory: string
  readonly #controllers: ReadonlySet<string>
  /** Writing to memory.peak resets it for this descriptor alone, so that descriptor stays open. */
  #peak: number | undefined
  #cpuMsLast = 0

  constructor(directory: string, controllers: ReadonlySet<string>) {
    this.#directory = directory
    this.#controllers = controllers
  }

  add(pid: number): void {
    writeControl(`${this.#directory}/cgroup.procs`, pid)
  }

  limit({ memoryBytes, cpuMillicores, tasks }: CgroupLimits): void {
    if (this.#controllers.has('memory')) {
      writeControl(`${this.#directory}/memory.max`, memoryBytes)
      tryControl(`${this.#directory}/memory.swap.max`, 0)
      // Half a sandbox is of no use: when the kernel must kill, it kills the whole.
      tryControl(`${this.#directory}/memory.oom.group`, 1)
    }
    if (this.#controllers.has('pids')) writeControl(`${this.#directory}/pids.max`, tasks)
    if (this.#controllers.has('cpu')) {
      const quota =
        cpuMillicores === undefined ? 'max' : Math.max(CPU_QUOTA_US_MIN, Math.round(cpuMillicores * 100))
      writeControl(`${this.#directory}/cpu.max`, `${quota} ${CPU_PERIOD_US}`)
    }
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    const memoryBytes = Number(readControl(`${this.#directory}/memory.current`))
    const peakPath =
      this.#peak === undefined ? `${this.#directory}/memory.peak` : `/proc/self/fd/${this.#peak}`
    const stat = readControl(`${this.#directory}/cpu.stat`)
    if (stat !== '') this.#cpuMsLast = keyedNumber(stat, 'usage_usec') / US_PER_MS
    return {
      memoryBytes,
      memoryPeakBytes: Math.max(memoryBytes, Number(readControl(peakPath))),
      cpuMs: this.#cpuMsLast,
    }
  }

  resetPeak(): void {
    try {
      this.#peak ??= openSync(`${this.#directory}/memory.peak`, 'r+')
      writeSync(this.#peak, 'reset')
    } catch {
      // Before Linux 6.12 the peak cannot be reset: it stays that of the whole life.
      this.#closePeak()
    }
  }

  outOfMemory(): boolean {
    return keyedNumber(readControl(`${this.#directory}/memory.events`), 'oom_kill') > 0
  }

  processes(): number[] {
    return processesIn(this.#directory)
  }

  async remove(): Promise<void> {
    this.#closePeak()
    await emptyAndRemove(this.#directory, () => {
      if (tryControl(`${this.#directory}/cgroup.kill`, 1)) return
      tryControl(`${this.#directory}/pids.max`, 0)
      killProcesses(processesIn(this.#directory))
    })
  }

  #closePeak(): void {
    if (this.#peak !== undefined) closeSync(this.#peak)
    this.#peak = undefined
  }
}
