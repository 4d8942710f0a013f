import { Session } from 'node:inspector'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

const LOOK_EVERY_MS = 1_000
const QUIET_MS = 3_000
const KEPT_BYTES = 6 * 1024 ** 2

/** What a look saw. */
export interface Look {
  readonly atMs: number
  /** Requests that the router and the API got, since the start. */
  readonly requests: number
  /** Calls that run or wait now. */
  readonly running: number
  /** What V8 holds for young objects. */
  readonly youngBytes: number
}

/**
 * Whether a server is idle and holds what load left behind. V8 lets the space for young objects grow to more than 100 MB
 * under load, which is what makes calls cheap, and never gives it back by itself.
 */
export class TrimDecision {
  #requests = 0
  #busyMs: number | undefined
  #trimmed = false

  decide({ atMs, requests, running, youngBytes }: Look): boolean {
    if (this.#busyMs === undefined || requests !== this.#requests || running > 0) {
      this.#requests = requests
      this.#busyMs = atMs
      this.#trimmed = false
    }
    if (this.#trimmed || atMs - this.#busyMs < QUIET_MS || youngBytes <= KEPT_BYTES) return false
    this.#trimmed = true
    return true
  }
}

/**
 * Gives memory back to the system when the server is idle. It costs a pause of about a tenth of a second, at
 * most once after each load: a few calls now and then do not make the young space grow. Returns what ends it.
 */
export function trimWhenIdle(look: () => Omit<Look, 'youngBytes'>): () => void {
  // Such a collection throws away the compiled code of all that does not run at that moment: the first seconds of the next load
  // would go to compiling the way of a call again.
  setFlagsFromString('--no-flush-bytecode')
  const decision = new TrimDecision()
  const timer = setInterval(() => {
    if (decision.decide({ ...look(), youngBytes: youngBytes() })) collectGarbage()
  }, LOOK_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(space => space.space_name === 'new_space')?.space_size ?? 0
}

let collecting: Session | undefined // a session that is itself collected would never return

/** The one collection of V8's that Node offers without a flag, and the one that also shrinks the heap. */
function collectGarbage(): void {
  if (collecting) return
  const session = new Session()
  collecting = session
  session.connect()
  session.post('HeapProfiler.collectGarbage', () => {
    setImmediate(() => {
      session.disconnect()
      collecting = undefined
    })
  })
}
