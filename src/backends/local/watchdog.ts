import type { Clock } from '../../core/index.ts'
import { descendants, footprint } from './procfs.ts'

const LOOK_EVERY_MS = 100
const PROCESSES_LOOKED_AT_MAX = 4_096

export interface Watched {
  /** The first process; everything below it counts. */
  pid: number
  memoryBytesMax: number
  tasksMax: number
  /** Called once, when a limit is passed. */
  onExcess: (what: 'memory' | 'processes') => void
}

/** Looks after sandboxes that the kernel gives no account for: adds up their processes every tenth of a second. */
export class Watchdog {
  readonly #clock: Clock
  readonly #watched = new Set<Watched>()
  #looking = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  watch(sandbox: Watched): () => void {
    this.#watched.add(sandbox)
    if (!this.#looking) this.#lookLater()
    return () => this.#watched.delete(sandbox)
  }

  #lookLater(): void {
    this.#looking = true
    this.#clock.after(LOOK_EVERY_MS, () => this.#look())
  }

  #look(): void {
    for (const sandbox of this.#watched) {
      const { memoryBytes, tasks } = footprint(descendants(sandbox.pid, PROCESSES_LOOKED_AT_MAX))
      const excess =
        memoryBytes > sandbox.memoryBytesMax ? 'memory' : tasks > sandbox.tasksMax ? 'processes' : undefined
      if (excess === undefined) continue
      this.#watched.delete(sandbox)
      sandbox.onExcess(excess)
    }
    this.#looking = false
    if (this.#watched.size > 0) this.#lookLater()
  }
}
