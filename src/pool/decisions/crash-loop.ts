/** `function`: the code does not load. `platform`: no sandbox could be started. */
export type StartFault = 'function' | 'platform'

export interface Rest {
  /** No start for so long; calls are answered with the remembered error meanwhile. */
  readonly restMs: number
  /** Whether the calls that wait now are given that error, or another try. */
  readonly failWaiting: boolean
}

const FUNCTION_REST_MS_MIN = 1_000
const PLATFORM_REST_MS_MIN = 250
const REST_MS_MAX = 30_000

/**
 * What to do after `consecutive` (1 and up) failed starts of a version. Code that does not load will hardly load a moment
 * later, so its calls fail at once; a sandbox that could not be started is given one more try before they do.
 */
export function afterFailedStart(fault: StartFault, consecutive: number): Rest {
  if (fault === 'platform' && consecutive === 1) return { restMs: 0, failWaiting: false }
  const first = fault === 'function' ? FUNCTION_REST_MS_MIN : PLATFORM_REST_MS_MIN
  return { restMs: Math.min(REST_MS_MAX, first * 2 ** Math.min(consecutive - 1, 10)), failWaiting: true }
}
