import type { Server, Socket } from 'node:net'
import type { Duplex, Readable, Writable } from 'node:stream'
import type { Limits } from '../../core/index.ts'
import type { Grant, Place, ProcessSpec, Sandbox, SandboxExit } from '../backend.ts'
import type { Cell } from './cell.ts'
import { backendFailed } from './commands.ts'
import { sendEnvironment } from './own-process.ts'
import { Tail } from './tail.ts'

/** What turns a generic cell into one version's. */
export interface LateGrant {
  fits(limits: Limits): boolean
  give(grant: Grant): Promise<void>
}

/** A tenant's own process. */
export interface OwnProcess extends ProcessSpec {
  /** Its `folder` is there already. */
  readonly isFolderMade: boolean
}

/** A cell that speaks the contract: what the pool holds. */
export class LocalSandbox implements Sandbox {
  readonly id: string
  readonly pid: number
  readonly channel: Duplex
  readonly stdin: Writable | undefined
  readonly stdout: Readable
  readonly stderr: Readable
  readonly exited: Promise<SandboxExit>
  readonly #cell: Cell
  #late: LateGrant | undefined

  /** A held command has not begun. */
  #isWaiting: boolean
  readonly #own: OwnProcess | undefined

  /** `late`: how it gets its grant, when it has none from its start. `own`: where it runs a tenant's own process. */
  constructor(cell: Cell, channel: Duplex, late: LateGrant | undefined, own?: OwnProcess) {
    this.#own = own
    this.#isWaiting = own !== undefined
    this.id = cell.id
    this.pid = cell.pid
    this.channel = channel
    this.stdin = cell.stdin
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

  connect(to: Place, patienceMs?: number): Promise<Socket | undefined> {
    return this.#cell.inside.connect(to, patienceMs)
  }

  listen(at: Place): Promise<Server> {
    return this.#cell.inside.listen(at)
  }

  begin(env: Readonly<Record<string, string>>): void {
    this.#isWaiting = false
    const overStdin = (this.channel as Writable) === this.stdin
    sendEnvironment(
      this.channel,
      { ...this.#own?.env, ...env },
      this.#own?.isFolderMade ? undefined : this.#own?.folder,
      overStdin,
    )
  }

  terminate(): void {
    this.#cell.terminate()
    if (this.#isWaiting) this.channel.destroy() // what waits there must not be left behind
  }

  usage(): { memoryBytes: number; memoryPeakBytes: number; cpuMs: number } {
    return this.#cell.usage()
  }

  resetPeak(): void {
    this.#cell.resetPeak()
  }

  isEnding(): boolean {
    return this.#cell.isEnding
  }

  async kill(): Promise<void> {
    await this.#cell.kill()
    await this.exited
  }
}
