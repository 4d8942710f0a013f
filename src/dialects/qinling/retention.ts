import type { DialectRecords } from '../../control/index.ts'
import type { DialectParts } from '../dialect.ts'
import { KINDS } from './kept.ts'
import type { Texts } from './texts.ts'

const LOOK_EVERY_MS = 3_600_000
const DAY_MS = 86_400_000
const OF_A_PROJECT_MAX = 20_000
const LOOK_EVERY = 500 // executions of a project

/** Bounds how many executions a project keeps, however fast it makes them: the oldest go, with their texts. */
export class Newest {
  readonly #records: DialectRecords
  readonly #texts: Texts
  readonly #most: number
  readonly #every: number
  /** Of projects, since it was last looked. */
  readonly #made = new Map<string, number>() // as many as there are projects

  constructor(records: DialectRecords, texts: Texts, most = OF_A_PROJECT_MAX, every = LOOK_EVERY) {
    this.#records = records
    this.#texts = texts
    this.#most = most
    this.#every = every
  }

  /** The project has made one more. */
  async made(projectId: string): Promise<void> {
    const made = (this.#made.get(projectId) ?? 0) + 1
    this.#made.set(projectId, made % this.#every)
    if (made < this.#every) return
    const newestGone = await this.#records.madeBefore(KINDS.execution, projectId, this.#most)
    if (newestGone === undefined) return
    await this.#records.deleteOlder(KINDS.execution, newestGone + 1, projectId)
    await this.#texts.deleteOlder(newestGone + 1, projectId)
  }
}

/** Forgets old executions from time to time, until the returned function is called. */
export function retain(
  { records, clock, settings, log }: Pick<DialectParts, 'records' | 'clock' | 'settings' | 'log'>,
  texts: Texts,
): () => void {
  let stop = clock.after(LOOK_EVERY_MS, look)
  let isStopped = false
  return () => {
    isStopped = true
    stop()
  }

  function look(): void {
    const before = clock.now() - settings.qinling.executionDays * DAY_MS
    Promise.all([records.deleteOlder(KINDS.execution, before), texts.deleteOlder(before)])
      .catch((error: unknown) => log.error({ err: error }, 'old executions of Qinling could not be removed'))
      .finally(() => {
        if (!isStopped) stop = clock.after(LOOK_EVERY_MS, look)
      })
  }
}
