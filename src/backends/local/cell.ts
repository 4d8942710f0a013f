import { constants } from 'node:os'
import type { Duplex, Readable, Writable } from 'node:stream'
import type { Inside } from '../backend.ts'
import type { Cgroup, CgroupLimits } from './cgroup/cgroup.ts'
import type { Identity, Launched } from './launcher.ts'
import type { Connection } from './network.ts'
import { descendants, footprint, isAlive } from './procfs.ts'
import type { Watched } from './watchdog.ts'

const SIGNAL_EXIT_BASE = 128 // what a reaper adds to the number of the signal that ended its child
const PROCESSES_COUNTED_MAX = 1_024

export interface CellExit {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly reason: 'memory' | 'killed' | 'exit'
}

/** What a cell holds beside its processes. */
export interface CellHoldings {
  readonly identity: Identity
  readonly cgroup: Cgroup | undefined
  readonly watched: Watched
  readonly inside: Inside
  /** Lets everything go, once all processes are gone. */
  release(): Promise<void>
  connect(pid: number): Promise<Connection>
}

/** One running sandbox with its limits, its network and its accounts. */
export class Cell {
  readonly id: string
  readonly pid: number
  readonly identity: Identity
  readonly channel: Duplex | undefined
  readonly inside: Inside
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  readonly stderr: Readable
  /** Settles when every process is gone and everything is released; never rejects. */
  readonly exited: Promise<CellExit>
  readonly #launched: Launched
  readonly #holdings: CellHoldings
  #connection: Promise<Connection> | undefined
  #killed = false
  #ended = false
  #outOfMemory = false
  #usageLast = { memoryBytes: 0, memoryPeakBytes: 0, cpuMs: 0 }

  constructor(id: string, launched: Launched, holdings: CellHoldings, connection: Connection | undefined) {
    this.id = id
    this.pid = launched.pid
    this.identity = holdings.identity
    this.channel = launched.channel
    this.inside = holdings.inside
    this.stdin = launched.stdin ?? undefined
    this.stdout = launched.stdout
    this.stderr = launched.stderr
    this.#launched = launched
    this.#holdings = holdings
    this.#connection = connection && Promise.resolve(connection)
    this.exited = launched.exited.then(exit => this.#finish(exit))
  }

  /** Resolves when its file system is there to be changed. */
  complete(): Promise<void> {
    return this.#launched.complete()
  }

  /** Its first process is gone, though its end is not told yet. */
  get isEnding(): boolean {
    return this.#ended || !isAlive(this.pid)
  }

  /** Changes its limits; throws when it already holds more memory than the new limit. */
  setLimits(limits: CgroupLimits): void {
    this.#holdings.cgroup?.limit(limits)
    this.#holdings.watched.memoryBytesMax = limits.memoryBytes
    this.#holdings.watched.tasksMax = limits.tasks
  }

  /** Opens the way out; resolves when it is there. A second call waits for the first. */
  async connect(): Promise<void> {
    const opening = (this.#connection ??= this.#holdings.connect(this.pid))
    try {
      const connection = await opening
      if (this.#ended) connection.close()
    } catch (error) {
      if (this.#connection === opening) this.#connection = undefined
      throw error
    }
  }

  /** Closes the way out, if it is open; resolves when nothing leaves any more. */
  async disconnect(): Promise<void> {
    const opened = this.#connection
    this.#connection = undefined
    const connection = await opened?.catch(() => undefined)
    await connection?.cut()
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    if (this.#ended) return this.#usageLast
    const { cgroup } = this.#holdings
    if (cgroup !== undefined) {
      this.#usageLast = cgroup.usage()
      return this.#usageLast
    }
    const { memoryBytes, cpuMs } = footprint(descendants(this.pid, PROCESSES_COUNTED_MAX))
    const memoryPeakBytes = Math.max(memoryBytes, this.#usageLast.memoryPeakBytes)
    this.#usageLast = { memoryBytes, memoryPeakBytes, cpuMs: Math.max(cpuMs, this.#usageLast.cpuMs) }
    return this.#usageLast
  }

  resetPeak(): void {
    this.#usageLast = { ...this.#usageLast, memoryPeakBytes: 0 }
    if (!this.#ended) this.#holdings.cgroup?.resetPeak()
  }

  /** Asks the command to end. */
  terminate(): void {
    if (this.#ended) return
    if (this.#launched.terminate !== undefined) return this.#launched.terminate()
    const pid = this.#launched.commandPid?.()
    if (pid === undefined) return
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // It has ended by itself.
    }
  }

  /** Ends it for passing a limit that a watchdog found. */
  endFor(what: 'memory' | 'processes'): void {
    this.#outOfMemory ||= what === 'memory'
    this.#launched.kill()
  }

  async kill(): Promise<void> {
    if (!this.#ended) {
      this.#killed = true
      this.#launched.kill()
    }
    await this.exited
  }

  async #finish(exit: {
    readonly code: number | undefined
    readonly signal: string | undefined
  }): Promise<CellExit> {
    const { cgroup } = this.#holdings
    if (cgroup !== undefined) {
      this.#outOfMemory ||= cgroup.outOfMemory()
      this.#usageLast = { ...cgroup.usage(), memoryBytes: 0 }
    }
    this.#ended = true
    this.#connection?.then(
      connection => connection.close(),
      () => {},
    )
    this.channel?.destroy()
    await this.#holdings.release()
    const { code, signal } = decoded(exit)
    // Memory first: whoever sees the channel of a process break that the kernel has killed, kills the rest.
    const reason = this.#outOfMemory && code !== 0 ? 'memory' : this.#killed ? 'killed' : 'exit'
    return { code, signal, reason }
  }
}

/** The first process of a sandbox tells a signal as an exit code; this makes it a signal again. */
function decoded(exit: { readonly code: number | undefined; readonly signal: string | undefined }): {
  readonly code: number | undefined
  readonly signal: string | undefined
} {
  if (exit.code === undefined || exit.code <= SIGNAL_EXIT_BASE) return exit
  const number = exit.code - SIGNAL_EXIT_BASE
  const name = Object.entries(constants.signals).find(([, value]) => value === number)?.[0]
  return name === undefined ? exit : { code: undefined, signal: name }
}
