import type { Clock } from '../core/index.ts'
import type { KeptState, TriggerStates } from './states.ts'

const GATHER_MS = 200 // what changes within it is written together
const RETRY_MS = 5_000
const BATCH = 1_000 // states in one transaction: the next one lets others in

export interface WriteBehindOptions {
  readonly states: TriggerStates
  readonly clock: Clock
  /** The state of a trigger now; `undefined` when there is none any more. */
  readonly read: (id: string) => KeptState | undefined
  readonly onProblem: (message: string, cause: unknown) => void
}

/** Writes states in batches a little after they change: many events of one trigger are one write. */
export class WriteBehind {
  readonly #options: WriteBehindOptions
  #group = newGroup()
  #turn: Promise<void> = Promise.resolve()
  #cancelTimer: (() => void) | undefined

  constructor(options: WriteBehindOptions) {
    this.#options = options
  }

  /** Marks a state as changed. */
  touch(id: string): void {
    this.#group.ids.add(id)
    this.#wakeIn(GATHER_MS)
  }

  /** As `touch`; resolves when it is written, rejects when that failed (it is tried again all the same). */
  save(id: string): Promise<void> {
    this.touch(id)
    return this.#group.written.promise
  }

  /** Writes all that has changed. */
  flush(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#turn = this.#turn.catch(() => {}).then(() => this.#write())
    return this.#turn
  }

  async #write(): Promise<void> {
    const { ids, written } = this.#group
    if (ids.size === 0) return
    this.#group = newGroup()
    const left = [...ids]
    try {
      while (left.length > 0) {
        const batch = left.slice(0, BATCH)
        await this.#options.states.write(new Map(batch.map(id => [id, this.#options.read(id)])))
        left.splice(0, batch.length)
      }
      written.resolve()
    } catch (error) {
      for (const id of left) this.#group.ids.add(id)
      this.#wakeIn(RETRY_MS)
      written.reject(error)
      this.#options.onProblem('the states of triggers could not be written', error)
      throw error
    }
  }

  #wakeIn(delayMs: number): void {
    this.#cancelTimer ??= this.#options.clock.after(delayMs, () => {
      this.flush().catch(() => {}) // told by onProblem, tried again later
    })
  }
}

/** What changed since the last write began. */
function newGroup() {
  const written = Promise.withResolvers<void>()
  written.promise.catch(() => {}) // not everybody waits
  return { ids: new Set<string>(), written }
}
