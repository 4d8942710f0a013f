import type { Duplex, Readable } from 'node:stream'
import type { Limits } from '../../core/index.ts'
import type { Grant, Sandbox, SandboxExit } from '../backend.ts'
import type { Cell } from './cell.ts'
import { backendFailed } from './commands.ts'
import { Tail } from './tail.ts'

/** What turns a generic cell into one version's. */
export interface LateGrant {
  fits(limits: Limits): boolean
  give(grant: Grant): Promise<void>
}

/** A cell that speaks the contract: what the pool holds. */
export class LocalSandbox implements Sandbox {
  readonly id: string
  readonly pid: number
  readonly channel: Duplex
  readonly stdout: Readable
  readonly stderr: Readable
  readonly exited: Promise<SandboxExit>
  readonly #cell: Cell
  #late: LateGrant | undefined

  /** `late`: how it gets its grant, when it has none from its start. */
  constructor(cell: Cell, channel: Duplex, late: LateGrant | undefined) {
    this.id = cell.id
    this.pid = cell.pid
    this.channel = channel
    this.stdout = cell.stdout
    const stderr = new Tail(cell.stderr)
    this.stderr = stderr.stream
    this.#cell = cell
    this.#late = late
    this.exited = cell.exited.then(async exit => ({ ...exit, tail: await stderr.finish() }))
  }

  fits(limits: Limits): boolean {
    return this.#late?.fits(limits) ?? false
  }

  async attach(grant: Grant): Promise<void> {
    const late = this.#late
    if (late === undefined) throw backendFailed(`sandbox ${this.id} has its code already`)
    this.#late = undefined
    await late.give(grant)
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    return this.#cell.usage()
  }

  resetPeak(): void {
    this.#cell.resetPeak()
  }

  async kill(): Promise<void> {
    await this.#cell.kill()
    await this.exited
  }
}
