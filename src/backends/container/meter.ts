import { readFileSync } from 'node:fs'

const NS_PER_MS = 1_000_000
const US_PER_MS = 1_000

export interface Usage {
  readonly memoryBytes: number
  readonly memoryPeakBytes: number
  readonly cpuMs: number
}

/** Reads what a container uses from the control groups of its first process: cheaper than to ask the engine by three orders. */
export class Meter {
  readonly #memory: readonly [now: string, peak: string] | undefined
  readonly #cpu: readonly [path: string, key: string | undefined, perMs: number] | undefined
  #last: Usage = { memoryBytes: 0, memoryPeakBytes: 0, cpuMs: 0 }
  #peakSeen = 0

  constructor(pid: number | undefined) {
    const groups = pid === undefined ? [] : (read(`/proc/${pid}/cgroup`) ?? '').trim().split('\n')
    const pathOf = (controller: string) =>
      groups.map(line => line.split(':')).find(([, names]) => names?.split(',').includes(controller))?.[2]
    const memory = pathOf('memory')
    const cpu = pathOf('cpuacct')
    const unified = pathOf('')
    if (memory !== undefined) {
      const at = `/sys/fs/cgroup/memory${memory}`
      this.#memory = [`${at}/memory.usage_in_bytes`, `${at}/memory.max_usage_in_bytes`]
    } else if (unified !== undefined) {
      const at = `/sys/fs/cgroup${unified}`
      this.#memory = [`${at}/memory.current`, `${at}/memory.peak`]
    }
    if (cpu !== undefined) this.#cpu = [`/sys/fs/cgroup/cpuacct${cpu}/cpuacct.usage`, undefined, NS_PER_MS]
    else if (unified !== undefined) this.#cpu = [`/sys/fs/cgroup${unified}/cpu.stat`, 'usage_usec', US_PER_MS]
  }

  /** Now; once the container is gone, what was read last. */
  read(): Usage {
    const [now, peak] = this.#memory ?? []
    const memoryBytes = number(now)
    if (memoryBytes === undefined) return this.#last
    const kernelPeak = this.#peakSeen > 0 ? 0 : (number(peak) ?? 0)
    this.#last = {
      memoryBytes,
      memoryPeakBytes: Math.max(memoryBytes, kernelPeak, this.#peakSeen),
      cpuMs: this.#cpuMs() ?? this.#last.cpuMs,
    }
    if (this.#peakSeen > 0) this.#peakSeen = this.#last.memoryPeakBytes
    return this.#last
  }

  /** From now on the peak is the highest of our own readings: the group's files belong to the engine. */
  resetPeak(): void {
    this.#peakSeen = Math.max(1, number(this.#memory?.[0]) ?? 1)
  }

  #cpuMs(): number | undefined {
    if (this.#cpu === undefined) return undefined
    const [path, key, perMs] = this.#cpu
    const text = read(path)
    const value = key === undefined ? text : text?.match(new RegExp(`^${key} (\\d+)`, 'm'))?.[1]
    return value === undefined ? undefined : Number(value) / perMs
  }
}

function number(path: string | undefined): number | undefined {
  const text = path === undefined ? undefined : read(path)
  return text === undefined ? undefined : Number(text)
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // gone, or not there on this machine
  }
}
