import type { Clock } from '../core/index.ts'
import type { Environment } from '../environments/index.ts'

const PROBE_KEPT_MS = 60_000 // probing starts programs; what is installed changes rarely

export interface EnvironmentView {
  readonly name: string
  readonly description: string
  readonly contract: string
  readonly entryHelp: string
  readonly ready: boolean
  readonly runtimeVersion?: string
  readonly revision?: string
  readonly reason?: string
}

/** The environments with whether they can run on this machine, probed at most once a minute. */
export class EnvironmentList {
  readonly #environments: readonly Environment[]
  readonly #clock: Clock
  #known: Promise<readonly EnvironmentView[]> | undefined
  #knownAtMs = 0

  constructor(environments: readonly Environment[], clock: Clock) {
    this.#environments = environments
    this.#clock = clock
  }

  all(): Promise<readonly EnvironmentView[]> {
    const now = this.#clock.monotonic()
    if (this.#known === undefined || now - this.#knownAtMs > PROBE_KEPT_MS) {
      this.#knownAtMs = now
      this.#known = Promise.all(this.#environments.map(view))
    }
    return this.#known
  }
}

async function view(environment: Environment): Promise<EnvironmentView> {
  const { name, description, contract, entryHelp } = environment
  const status = await environment
    .probe()
    .catch(() => ({ ready: false, reason: 'Looking at it failed; see the log of the server.' }) as const)
  const rest = status.ready
    ? { ready: true, runtimeVersion: status.runtimeVersion, revision: status.revision }
    : { ready: false, reason: status.reason }
  return { name, description, contract, entryHelp, ...rest }
}
