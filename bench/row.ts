/** One row of the table of numbers to hold: measured in one run, beside its floor. */
export interface Row {
  /** What it is called on the command line. */
  readonly name: string
  readonly title: string
  /** Why it cannot run here, or `undefined`. */
  missing?(): string | undefined
  run(bench: Bench): Promise<readonly Measure[]>
}

export interface Measure {
  readonly what: string
  readonly value: number
  readonly unit: 'ratio' | 'us' | 'ms' | 'MB' | '/s' | 'errors'
  readonly floor?: Floor
  /** A second figure we are on the way to; never a reason to fail. */
  readonly goal?: Floor
  /** The figures it was made of. */
  readonly detail?: string
}

export interface Floor {
  readonly least?: number
  readonly most?: number
}

/** What rows share. */
export interface Bench {
  /** Rounds of interleaved measurements; the median counts. */
  readonly rounds: number
  readonly secondsPerRound: number
  /** First calls in the rows about cold starts, functions in those about many. */
  readonly firstCalls: number
  readonly functionsMany: number
  /** Asynchronous calls in the row about draining. */
  readonly queued: number
  /** How long each broker gets events. */
  readonly brokerSeconds: number
  /** How long the row about everything at once goes on. */
  readonly soakSeconds: number
  /** The brokers of that row by name; none: all of them. */
  readonly brokers: readonly string[]
  /** The languages of that row by name; none: all of them. */
  readonly languages: readonly string[]
  say(line: string): void
  /** Called when the row is over, the last first. */
  after(cleanUp: () => Promise<void> | void): void
}

export function holds(value: number, { least, most }: Floor): boolean {
  return (least === undefined || value >= least) && (most === undefined || value <= most)
}
