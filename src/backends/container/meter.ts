import { Groups, readText } from './groups.ts'

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
    const groups = new Groups(pid)
    const memory = groups.of('memory')
    const cpu = groups.of('cpuacct')
    const { unified } = groups
    if (memory !== undefined)
      this.#memory = [`${memory}/memory.usage_in_bytes`, `${memory}/memory.max_usage_in_bytes`]
    else if (unified !== undefined) this.#memory = [`${unified}/memory.current`, `${unified}/memory.peak`]
    if (cpu !== undefined) this.#cpu = [`${cpu}/cpuacct.usage`, undefined, NS_PER_MS]
    else if (unified !== undefined) this.#cpu = [`${unified}/cpu.stat`, 'usage_usec', US_PER_MS]
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
    const text = readText(path)
    const value = key === undefined ? text : text?.match(new RegExp(`^${key} (\\d+)`, 'm'))?.[1]
    return value === undefined ? undefined : Number(value) / perMs
  }
}

function number(path: string | undefined): number | undefined {
  const text = path === undefined ? undefined : readText(path)
  return text === undefined ? undefined : Number(text)
}
