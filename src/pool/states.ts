import type { InstanceState } from './pool.ts'

/**
 * What happens to an instance. Its states:
 *
 * - `starting`    the backend was asked; the shim has not said hello
 * - `generic`     ready, holds no tenant's code
 * - `specialising` loads the code of one version
 * - `idle`        loaded, holds no call; the only state from which it is recycled for being unused
 * - `busy`        holds at least one call; may have room for more
 * - `draining`    finishes what it holds, takes nothing new
 * - `gone`        resources are released; final
 */
export type InstanceEvent = 'ready' | 'load' | 'loaded' | 'lease' | 'rest' | 'drain' | 'removed'

const next: Record<InstanceState, Partial<Record<InstanceEvent, InstanceState>>> = {
  starting: { ready: 'generic', load: 'specialising', drain: 'draining', removed: 'gone' },
  generic: { load: 'specialising', drain: 'draining', removed: 'gone' },
  specialising: { loaded: 'idle', drain: 'draining', removed: 'gone' },
  idle: { lease: 'busy', drain: 'draining', removed: 'gone' },
  busy: { lease: 'busy', rest: 'idle', drain: 'draining', removed: 'gone' },
  draining: { drain: 'draining', removed: 'gone' },
  gone: {},
}

/** The state after `event`; throws when the event cannot happen in `state`, which is a mistake of ours. */
export function nextState(state: InstanceState, event: InstanceEvent): InstanceState {
  const after = next[state][event]
  if (after === undefined) throw new Error(`an instance that is ${state} cannot see "${event}"`)
  return after
}

/** Whether it is over, or about to be: nothing new may be given to it. */
export function isLeaving(state: InstanceState): boolean {
  return state === 'draining' || state === 'gone'
}

/** How many of `instances` are in each state. */
export function countStates(
  instances: Iterable<{ readonly state: InstanceState }>,
): Record<InstanceState, number> {
  const counts = { starting: 0, generic: 0, specialising: 0, idle: 0, busy: 0, draining: 0, gone: 0 }
  for (const { state } of instances) counts[state]++
  return counts
}
