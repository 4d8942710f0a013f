import {
  ASYNC_SETTINGS_DEFAULT,
  type AsyncSettings,
  AtelierError,
  type Clock,
  type FunctionTable,
  type TableFunction,
} from '../core/index.ts'
import type { AsyncLimits } from './options.ts'

/** One function's part of the queue, as this process knows it. */
export class Lane {
  readonly functionId: string
  readonly projectId: string
  /** Calls that wait, on all nodes as far as known. */
  queued = 0
  /** Leases held here: those that run, and those that come next. */
  leased = 0
  /** Attempts under way here. */
  running = 0
  /** Leases whose calls have not begun: the next ones. */
  next = 0
  /** How many leases to have beyond those that run, so that none waits for the disk. */
  ahead = 1
  /** A call may be due at this time; Infinity: none that waits is known. Epoch ms. */
  nextDueAt = Number.POSITIVE_INFINITY
  /** A call that waited for its turn may run now: whoever looked before has not seen it. */
  isPromoted = false
  /** Some of its calls may be `reservable`. */
  mayBeReserved = false
  /** How often in a row the platform had no room. */
  refusals = 0
  /** Nothing is leased before; monotonic ms. */
  restsUntil = 0
  /** At most so many at once, after refusals; grows again with each success. */
  width = Number.POSITIVE_INFINITY
  /** When its function was first missed; monotonic ms. */
  missingSince: number | undefined

  constructor(functionId: string, projectId: string) {
    this.functionId = functionId
    this.projectId = projectId
  }
}

const AHEAD_MAX = 2_000 // at 50,000 calls a second, 40 ms

/**
 * How many leases to hold ahead, by how things stood when the last ones came: `starved` is that attempts could have begun
 * before, `unused` how many of the leases before had not begun. A function that is slow leaves the rest to other nodes.
 */
export function nextAhead(ahead: number, starved: boolean, unused: number): number {
  if (starved) return Math.min(AHEAD_MAX, ahead * 2)
  return unused > ahead / 2 ? Math.max(1, ahead - Math.ceil(ahead / 8)) : ahead
}

/** All functions that have calls, and how much is held in all. */
export class Lanes {
  readonly all = new Map<string, Lane>()
  readonly #table: FunctionTable
  readonly #clock: Clock
  readonly #limits: AsyncLimits
  readonly #queuedOf = new Map<string, number>()
  /** Heads and bodies of calls that have not ended. */
  readonly #bytesOf = new Map<string, number>()
  queued = 0
  leased = 0
  running = 0
  /** Heads and bodies of calls that have not ended. */
  bytes = 0
  /** Heads and bodies of leased calls. */
  leasedBytes = 0
  /** Where the next round begins. */
  #turn = 0

  constructor(table: FunctionTable, clock: Clock, limits: AsyncLimits) {
    this.#table = table
    this.#clock = clock
    this.#limits = limits
  }

  targetOf(lane: Lane): TableFunction | undefined {
    return this.#table.functions.get(lane.functionId)
  }

  settingsOf(functionId: string): AsyncSettings {
    return this.#table.functions.get(functionId)?.async ?? ASYNC_SETTINGS_DEFAULT
  }

  of(functionId: string, projectId: string): Lane {
    let lane = this.all.get(functionId)
    if (!lane) this.all.set(functionId, (lane = new Lane(functionId, projectId)))
    return lane
  }

  /** One more that waits (or one less), of so many bytes. */
  add(lane: Lane, count: number, bytes: number): void {
    lane.queued += count
    this.queued += count
    this.bytes += bytes
    const ofProject = (this.#queuedOf.get(lane.projectId) ?? 0) + count
    if (ofProject > 0) this.#queuedOf.set(lane.projectId, ofProject)
    else this.#queuedOf.delete(lane.projectId)
    const bytesOfProject = (this.#bytesOf.get(lane.projectId) ?? 0) + bytes
    if (bytesOfProject > 0) this.#bytesOf.set(lane.projectId, bytesOfProject)
    else this.#bytesOf.delete(lane.projectId)
  }

  /** What calls of all nodes take up that have not ended, by project. */
  setBytes(byProject: ReadonlyMap<string, number>): void {
    this.bytes = 0
    this.#bytesOf.clear()
    for (const [projectId, bytes] of byProject) {
      this.bytes += bytes
      if (bytes > 0) this.#bytesOf.set(projectId, bytes)
    }
  }

  /** What a project's calls take up: those that wait, and the bodies of all that have not ended. */
  usageOf(projectId: string): { readonly queued: number; readonly bytes: number } {
    return { queued: this.#queuedOf.get(projectId) ?? 0, bytes: this.#bytesOf.get(projectId) ?? 0 }
  }

  lease(lane: Lane, bytes: number): void {
    lane.leased++
    this.leased++
    this.leasedBytes += bytes
  }

  release(lane: Lane, bytes: number): void {
    lane.leased--
    this.leased--
    this.leasedBytes -= bytes
  }

  /** Forgets a lane that has nothing. */
  tidy(lane: Lane): void {
    if (lane.queued <= 0 && lane.leased === 0 && this.all.get(lane.functionId) === lane)
      this.all.delete(lane.functionId)
  }

  /** Why a function's calls cannot be taken now. */
  refusal(target: TableFunction, calls: number, bytes: number): AtelierError | undefined {
    const { queuedMax } = this.settingsOf(target.id)
    const name = `Function "${target.appName}/${target.name}"`
    const waiting = this.all.get(target.id)?.queued ?? 0
    if (waiting + calls > queuedMax)
      return tooMany(
        `${name} has ${waiting} calls waiting, and its queue holds ${queuedMax}; come back later.`,
      )
    const project = this.#table.projects.get(target.projectId)
    const held = this.usageOf(target.projectId)
    const callsMax = project?.queuedCallsMax ?? this.#limits.queuedPerProjectMax
    if (held.queued + calls > callsMax)
      return tooMany(
        `Project "${target.projectName}" has ${held.queued} calls waiting, and may have ${callsMax}; come back later.`,
      )
    const bytesMax = project?.queuedBytesMax ?? this.#limits.bytesPerProjectMax
    if (held.bytes + bytes > bytesMax)
      return tooMany(
        `The calls of project "${target.projectName}" that wait or run have ${held.bytes} bytes, and may have ${bytesMax}; come back later.`,
      )
    if (this.queued + calls > this.#limits.queuedMax || this.bytes + bytes > this.#limits.bytesMax)
      return new AtelierError(
        'STORAGE_FULL',
        'The queue of asynchronous calls holds as much as it may; come back when it has become shorter.',
        { retryAfterS: RETRY_AFTER_S },
      )
    return undefined
  }

  /** How many attempts of a lane may run at once, here. */
  widthOf(lane: Lane): number {
    const { concurrencyMax, paused } = this.settingsOf(lane.functionId)
    if (paused || this.#table.projects.get(lane.projectId)?.enabled === false) return 0
    return Math.max(1, Math.min(concurrencyMax, lane.width))
  }

  /** Attempts could begin, and what waits has not been leased. */
  isStarved(lane: Lane): boolean {
    return lane.queued > 0 && lane.running < this.widthOf(lane)
  }

  /** How many more calls of a lane may be leased now. */
  roomOf(lane: Lane): number {
    if (!this.targetOf(lane) || lane.restsUntil > this.#clock.monotonic()) return 0
    const width = this.widthOf(lane)
    if (width === 0) return 0
    const wanted = width + lane.ahead - lane.leased
    const left = this.#limits.leasedMax - this.leased
    if (wanted <= 0) return 0
    if (this.leasedBytes >= this.#limits.leasedBytesMax || left <= 0) return lane.leased === 0 ? 1 : 0
    // Nobody takes more than a fair part while there is little left, and nobody with nothing goes away empty.
    const fair = Math.max(1, Math.floor(this.#limits.leasedMax / Math.max(1, this.all.size)))
    const share =
      lane.leased >= fair
        ? Math.ceil(left / 8)
        : Math.min(left, Math.max(fair - lane.leased, Math.ceil(left / 8)))
    return Math.max(lane.leased === 0 ? 1 : 0, Math.min(wanted, share))
  }

  /** Lanes that have something due and room for it, each beginning the round once. */
  ready(dueNow: number): readonly { readonly lane: Lane; readonly room: number }[] {
    const lanes = [...this.all.values()]
    const found: { lane: Lane; room: number }[] = []
    const start = lanes.length === 0 ? 0 : this.#turn++ % lanes.length
    for (let i = 0; i < lanes.length; i++) {
      const lane = lanes[(start + i) % lanes.length]!
      if (lane.nextDueAt > dueNow && !lane.isPromoted) continue
      const room = this.roomOf(lane)
      if (room > 0) found.push({ lane, room })
    }
    return found
  }

  /** Lanes of a project that may have something due for somebody outside, at most `max`, each beginning the round once. */
  reservable(projectId: string, dueNow: number, max: number): readonly Lane[] {
    const found = [...this.all.values()].filter(
      lane =>
        lane.projectId === projectId &&
        lane.mayBeReserved &&
        lane.queued > 0 &&
        (lane.nextDueAt <= dueNow || lane.isPromoted),
    )
    if (found.length <= max) return found
    const start = this.#turn++ % found.length
    return [...found.slice(start), ...found.slice(0, start)].slice(0, max)
  }

  /** Ms until something may be due or has rested enough; Infinity when only an end or an acceptance changes anything. */
  msToNext(dueNow: number): number {
    const monotonic = this.#clock.monotonic()
    let next = Number.POSITIVE_INFINITY
    for (const lane of this.all.values()) {
      if (lane.nextDueAt === Number.POSITIVE_INFINITY || this.widthOf(lane) === 0) continue
      const waitMs = Math.max(lane.nextDueAt - dueNow, lane.restsUntil - monotonic)
      if (waitMs > 0) next = Math.min(next, waitMs)
    }
    return next
  }
}

const RETRY_AFTER_S = 5

function tooMany(message: string): AtelierError {
  return new AtelierError('TOO_MANY_REQUESTS', message, { retryAfterS: RETRY_AFTER_S })
}
