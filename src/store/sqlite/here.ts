import type { ConnectionSettings } from './connect.ts'
import { Connections, type Done, type Job } from './connections.ts'
import { LOST, Statements } from './statements.ts'

/** Statements that run where they are asked for, and hold up what else this thread does. */
export class StatementsHere extends Statements {
  readonly #connections: Connections
  #isClosed = false

  /** Throws what is wrong with the file. */
  constructor(settings: ConnectionSettings) {
    super()
    this.#connections = new Connections(settings)
  }

  /** Rows that have been written since the file was opened. */
  get rowsWritten(): number {
    return this.#connections.rowsWritten
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#connections.close()
  }

  protected override send(job: Job): Promise<Done> {
    if (this.#isClosed) return Promise.resolve({ problem: LOST })
    return Promise.resolve(job.kind === 'close' ? {} : this.#connections.run(job))
  }
}
