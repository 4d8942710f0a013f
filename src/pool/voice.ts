import type { Readable } from 'node:stream'
import type { Clock, LogLine, TableVersion } from '../core/index.ts'
import type { SlotLease } from './lease.ts'
import { eachLine, OutputBudget, readLines } from './output.ts'

const RECENT_MAX = 8 // calls whose late output still finds them
/** What a process printed before it answered may come a little after the answer: over another pipe, or by way of an engine. */
const LATE_MS_MAX = 200
const OWN_BYTES_PER_PERIOD_MAX = 256 * 1024 // output outside any call
const OWN_PERIOD_MS = 60_000

/**
 * What one instance says, and for which call. Output that the contract ties to a call is that call's, also a little after
 * its end. What the process prints itself is the call's when only one runs or has just ended, else the instance's.
 */
export class Voice {
  /** Calls that run now. */
  readonly leases: SlotLease[] = []
  readonly #recent: (SlotLease | undefined)[] = []
  #recentAt = 0
  /** The call that ended last, when no other ran at its end. */
  #last: SlotLease | undefined
  #lastEndedAt = 0
  #crowdedAt = Number.NEGATIVE_INFINITY
  #own = new OutputBudget(OWN_BYTES_PER_PERIOD_MAX)
  #ownSince: number
  #version: TableVersion | undefined
  readonly #instanceId: string
  readonly #clock: Clock
  readonly #onLog: (line: LogLine) => void

  constructor(instanceId: string, clock: Clock, onLog: (line: LogLine) => void) {
    this.#instanceId = instanceId
    this.#clock = clock
    this.#onLog = onLog
    this.#ownSince = clock.monotonic()
  }

  /** From now on it speaks for this version; what it said before was nobody's and is dropped. */
  speakFor(version: TableVersion): void {
    this.#version = version
  }

  /** Listens to what the process prints outside the contract. */
  listen(stdout: Readable | undefined, stderr: Readable): void {
    if (stdout) readLines(stdout, this.#clock, line => this.#say(this.#only(), 'stdout', line))
    readLines(stderr, this.#clock, line => this.#say(this.#only(), 'stderr', line))
  }

  /** Output that the contract ties to call `number`. */
  hear(number: number, stream: 'stdout' | 'stderr', text: string): void {
    const lease = number === 0 ? undefined : this.#find(number)
    if ((lease?.budget ?? this.#ownBudget()).isSpent) return // a flood need not be cut into lines
    eachLine(text, line => this.#say(lease, stream, line))
  }

  /** Something the platform tells the function's owner about this instance. */
  note(text: string): void {
    eachLine(text, line => this.#say(undefined, 'platform', line))
  }

  /** The call is over, and no longer among `leases`; what it still says is kept apart for a while. `now`: of the monotonic clock. */
  remember(lease: SlotLease, now: number): void {
    // Of two that ran at once, nobody knows whose late words are.
    if (this.leases.length > 0) this.#crowdedAt = now
    const isAlone = now - this.#crowdedAt > LATE_MS_MAX
    this.#last = isAlone ? lease : undefined
    this.#lastEndedAt = now
    this.#recent[this.#recentAt] = lease
    this.#recentAt = (this.#recentAt + 1) % RECENT_MAX
  }

  #find(number: number): SlotLease | undefined {
    for (const lease of this.leases) if (lease.call === number) return lease
    for (const lease of this.#recent) if (lease?.call === number) return lease
    return undefined
  }

  #only(): SlotLease | undefined {
    if (this.leases.length > 0) return this.leases.length === 1 ? this.leases[0] : undefined
    return this.#last !== undefined && this.#clock.monotonic() - this.#lastEndedAt <= LATE_MS_MAX
      ? this.#last
      : undefined
  }

  #say(lease: SlotLease | undefined, stream: LogLine['stream'], text: string): void {
    const version = this.#version
    if (version === undefined) return
    const verdict = (lease?.budget ?? this.#ownBudget()).take(text)
    if (verdict === 'drop') return
    const cut = verdict === 'mark'
    this.#onLog({
      at: this.#clock.now(),
      projectId: version.projectId,
      functionId: version.functionId,
      version: version.number,
      instanceId: this.#instanceId,
      ...(lease?.invocationId === undefined ? {} : { invocationId: lease.invocationId }),
      stream: cut ? 'platform' : stream,
      text: cut ? 'There was more output than is kept; what follows is left out.' : text,
    })
  }

  #ownBudget(): OutputBudget {
    const now = this.#clock.monotonic()
    if (now - this.#ownSince > OWN_PERIOD_MS) {
      this.#own = new OutputBudget(OWN_BYTES_PER_PERIOD_MAX)
      this.#ownSince = now
    }
    return this.#own
  }
}
