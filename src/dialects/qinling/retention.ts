import type { DialectParts } from '../dialect.ts'
import { KINDS } from './kept.ts'
import type { Runs } from './runs.ts'

const LOOK_EVERY_MS = 3_600_000
const DAY_MS = 86_400_000

/** Forgets old executions from time to time, until the returned function is called. */
export function retain(
  { records, clock, settings, log }: Pick<DialectParts, 'records' | 'clock' | 'settings' | 'log'>,
  runs: Runs,
): () => void {
  let stop = clock.after(LOOK_EVERY_MS, look)
  let isStopped = false
  return () => {
    isStopped = true
    stop()
  }

  function look(): void {
    const before = clock.now() - settings.qinling.executionDays * DAY_MS
    Promise.all([records.deleteOlder(KINDS.execution, before), runs.texts.deleteOlder(before)])
      .catch((error: unknown) => log.error({ err: error }, 'old executions of Qinling could not be removed'))
      .finally(() => {
        if (!isStopped) stop = clock.after(LOOK_EVERY_MS, look)
      })
  }
}
