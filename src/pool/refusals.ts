import { AtelierError, type TableVersion } from '../core/index.ts'
import type { Fleet } from './fleet.ts'

/** Asked while the pool closes. */
export function stopping(): AtelierError {
  return new AtelierError('UNAVAILABLE', 'The server is stopping; try again in a moment.', { retryAfterS: 1 })
}

/** No start of this version could ever fit. */
export function tooBig(version: TableVersion): AtelierError {
  return new AtelierError(
    'BACKEND_FAILED',
    `Function "${version.appName}/${version.functionName}" asks for ${version.limits.memoryMiB} MiB, more than this machine gives to all functions; lower limits.memoryMiB.`,
  )
}

const RETRY_AFTER_S_MAX = 60

/** As many calls wait as may. */
export function lineFull(fleet: Fleet): AtelierError {
  const slots = Math.max(1, fleet.serving.size) * fleet.version.limits.concurrency
  const seconds = Math.ceil((fleet.line.length * (fleet.runMs ?? 0)) / slots / 1000)
  return new AtelierError(
    'TOO_MANY_REQUESTS',
    `Function "${nameOf(fleet)}" has ${fleet.line.length} calls waiting already; come back later.`,
    { retryAfterS: Math.min(RETRY_AFTER_S_MAX, Math.max(1, seconds)) },
  )
}

/** A wait of `waitMs` was in vain; whose fault it is depends on what it was for. */
export function waitedTooLong(fleet: Fleet, waitMs: number): AtelierError {
  if (fleet.serving.size === 0 && fleet.starting > 0)
    return new AtelierError(
      'FUNCTION_TIMEOUT',
      `Function "${nameOf(fleet)}" was not ready within ${waitMs} ms.`,
    )
  return new AtelierError(
    'UNAVAILABLE',
    `No instance of function "${nameOf(fleet)}" became free within ${waitMs} ms.`,
    { retryAfterS: 1 },
  )
}

/** How people know the function. */
export function nameOf(fleet: Fleet): string {
  return `${fleet.version.appName}/${fleet.version.functionName}`
}
