import { Minute } from './minute.ts'

const REFUSALS_RECORDED_PER_WINDOW_MAX = 50 // of each project; a flood of refusals must not become a flood of records
const WINDOW_MS = 1_000
const FORGET_AT = 10_000 // projects in the map before those without calls are dropped

interface ProjectCalls {
  inHand: number
  refusals: number
  windowSince: number
  /** Only where there is a limit. */
  minute: Minute | undefined
}

/** Counts each project's calls, from admission to the end of the code. */
export class Projects {
  readonly #projects = new Map<string, ProjectCalls>()
  #inHand = 0

  /** Admits one call; false when the project has `most` in hand already. */
  enter(projectId: string, most: number | undefined): boolean {
    const calls = this.#of(projectId)
    if (most !== undefined && calls.inHand >= most) return false
    calls.inHand++
    this.#inHand++
    return true
  }

  /** Counts a call that begins; or says for how many seconds the project has had as many as it may in a minute. */
  begin(projectId: string, most: number, nowMs: number): number {
    const calls = this.#of(projectId)
    calls.minute ??= new Minute()
    return calls.minute.take(nowMs, most)
  }

  /** What a project uses now. Calls of the last minute are counted only where they are limited. */
  usage(
    projectId: string,
    nowMs: number,
  ): { readonly inHand: number; readonly lastMinute: number | undefined } {
    const calls = this.#projects.get(projectId)
    return { inHand: calls?.inHand ?? 0, lastMinute: calls?.minute?.count(nowMs) }
  }

  leave(projectId: string): void {
    this.#of(projectId).inHand--
    this.#inHand--
  }

  /** Whether one more refusal may leave a record. */
  mayRecordRefusal(projectId: string, now: number): boolean {
    const calls = this.#of(projectId)
    if (now - calls.windowSince >= WINDOW_MS) {
      calls.windowSince = now
      calls.refusals = 0
    }
    return ++calls.refusals <= REFUSALS_RECORDED_PER_WINDOW_MAX
  }

  /** Calls in hand, over all projects. */
  get inHand(): number {
    return this.#inHand
  }

  #of(projectId: string): ProjectCalls {
    let calls = this.#projects.get(projectId)
    if (calls === undefined) {
      if (this.#projects.size >= FORGET_AT)
        for (const [id, each] of this.#projects)
          if (each.inHand === 0 && !each.minute) this.#projects.delete(id)
      calls = { inHand: 0, refusals: 0, windowSince: Number.NEGATIVE_INFINITY, minute: undefined }
      this.#projects.set(projectId, calls)
    }
    return calls
  }
}
