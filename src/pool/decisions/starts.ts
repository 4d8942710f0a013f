/** What one version's calls ask for, and what there is. */
export interface Demand {
  /** Calls that wait for a slot. */
  readonly waiting: number
  /** Those of them that have waited longer than a start takes. */
  readonly overdue: number
  /** Instances under way. */
  readonly starting: number
  /** Instances that serve. */
  readonly serving: number
  readonly slotsPerInstance: number
  /** How long a call holds its slot, on average; `undefined` before the first has ended. */
  readonly runMs: number | undefined
  /** How long a start takes, on average. */
  readonly startMs: number
  readonly instancesMin: number
  readonly instancesMax: number
}

const RUN_MS_MIN = 0.05 // a call's way through the platform alone; keeps a quotient finite

/**
 * How many more instances to start now. Same inputs, same answer.
 *
 * A waiting call is worth a start only if the instances that serve already would not reach it sooner than a new one:
 * with 4 slots, calls of 10 ms and starts of 50 ms, the first 4 * 50 / 10 = 20 waiting calls are covered. Averages
 * lie when calls suddenly take longer; so a call that has waited longer than a start takes counts in any case.
 */
export function startsWanted(demand: Demand): number {
  const room = demand.instancesMax - demand.serving - demand.starting
  const forMin = demand.instancesMin - demand.serving - demand.starting
  const forCalls =
    Math.ceil(Math.max(demand.waiting - covered(demand), demand.overdue) / demand.slotsPerInstance) -
    demand.starting
  return Math.max(0, Math.min(room, Math.max(forMin, forCalls)))
}

/** How many waiting calls will have had a slot before an instance started now could serve. */
function covered(demand: Demand): number {
  if (demand.runMs === undefined) return 0
  const slots = demand.serving * demand.slotsPerInstance
  return Math.floor((slots * demand.startMs) / Math.max(demand.runMs, RUN_MS_MIN))
}
