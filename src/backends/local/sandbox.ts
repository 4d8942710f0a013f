import type { Duplex, Readable } from 'node:stream'
import type { Grant, Sandbox, SandboxExit } from '../backend.ts'
import type { Cell } from './cell.ts'
import { backendFailed } from './commands.ts'
import { Tail } from './tail.ts'

/** A cell that speaks the contract: what the pool holds. */
export class LocalSandbox implements Sandbox {
  readonly id: string
  readonly pid: number
  readonly channel: Duplex
  readonly stdout: Readable
  readonly stderr: Readable
  readonly exited: Promise<SandboxExit>
  readonly #cell: Cell
  readonly #give: (grant: Grant) => Promise<void>
  #granted: boolean

  /** `give` makes the cell what a grant says; `granted` tells that it is so from the start. */
  constructor(cell: Cell, channel: Duplex, granted: boolean, give: (grant: Grant) => Promise<void>) {
    this.id = cell.id
    this.pid = cell.pid
    this.channel = channel
    this.stdout = cell.stdout
    const stderr = new Tail(cell.stderr)
    this.stderr = stderr.stream
    this.#cell = cell
    this.#granted = granted
    this.#give = give
    this.exited = cell.exited.then(async exit => ({ ...exit, tail: await stderr.finish() }))
  }

  async attach(grant: Grant): Promise<void> {
    if (this.#granted) throw backendFailed(`sandbox ${this.id} has its code already`)
    this.#granted = true
    await this.#give(grant)
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
