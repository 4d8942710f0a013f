import { asAtelierError, type Clock } from '../../core/index.ts'
import type { TriggerEvent, TriggerHost } from '../kind.ts'

const WAIT_MS_FIRST = 200
const WAIT_MS_MAX = 30_000

/** The wait after `failures` failures in a row, at least one: doubled each time, half of it left to chance (0 to 1). Pure. */
export function waitMs(failures: number, chance: number): number {
  return Math.min(WAIT_MS_MAX, WAIT_MS_FIRST * 2 ** (failures - 1)) * (1 - chance / 2)
}

/** Resolves after `delayMs`, or as soon as the signal is aborted. */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise(resolve => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(delayMs, done)
    signal.addEventListener('abort', done)
  })
}

/**
 * Delivers, and waits as long as there is no room for more calls. Rejects when the events can never be accepted, and
 * with the signal's reason when it is aborted.
 */
export async function deliverPatiently(
  host: TriggerHost,
  events: readonly TriggerEvent[],
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 1; ; failures++) {
    signal.throwIfAborted()
    try {
      await host.deliver(events)
      return
    } catch (error) {
      const { code, retryAfterS } = asAtelierError(error)
      if (!['TOO_MANY_REQUESTS', 'STORAGE_FULL', 'UNAVAILABLE'].includes(code)) throw error
      const asked = (retryAfterS ?? 0) * 1_000
      await pause(host.clock, Math.max(asked, waitMs(failures, Math.random())), signal)
    }
  }
}
