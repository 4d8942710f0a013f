import { AtelierError } from '../core/index.ts'

const RETRY_AFTER_S = 30
const WAITING_SHARE = 4 // one owner takes at most a quarter of the line

interface Waiting {
  readonly owner: string
  readonly begin: () => void
}

/**
 * Places to work in, fairly shared: who has the fewest comes next, and one owner never holds the last place, since what
 * runs there may be made to never end.
 */
export class Places {
  readonly #runningMax: number
  readonly #waitingMax: number
  readonly #running = new Map<string, number>()
  readonly #waiting: Waiting[] = []

  constructor(runningMax: number, waitingMax: number) {
    this.#runningMax = runningMax
    this.#waitingMax = waitingMax
  }

  /** Throws UNAVAILABLE when `owner` would have to wait and may not. */
  check(owner: string): void {
    if (this.#mayRun(owner)) return
    const own = this.#waiting.filter(each => each.owner === owner).length
    const few = own < Math.ceil(this.#waitingMax / WAITING_SHARE)
    if (few && this.#waiting.length < this.#waitingMax) return
    throw new AtelierError(
      'UNAVAILABLE',
      `${few ? this.#waiting.length : own} builds ${few ? '' : 'of this project '}are waiting already; try again in a while.`,
      { retryAfterS: RETRY_AFTER_S },
    )
  }

  /** Resolves when a place is the owner's, until it gives it back; with false when `signal` aborted before. */
  async take(owner: string, signal: AbortSignal): Promise<boolean> {
    if (this.#mayRun(owner)) {
      this.#count(owner, 1)
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const entry = { owner, begin: () => resolve(true) }
    this.#waiting.push(entry)
    const leave = () => {
      const at = this.#waiting.indexOf(entry)
      if (at === -1) return
      this.#waiting.splice(at, 1)
      resolve(false)
    }
    signal.addEventListener('abort', leave, { once: true })
    return promise
  }

  giveBack(owner: string): void {
    this.#count(owner, -1)
    let next: Waiting | undefined
    for (const each of this.#waiting)
      if (this.#mayRun(each.owner) && (!next || this.#of(each.owner) < this.#of(next.owner))) next = each
    if (!next) return
    this.#waiting.splice(this.#waiting.indexOf(next), 1)
    this.#count(next.owner, 1)
    next.begin()
  }

  #mayRun(owner: string): boolean {
    let all = 0
    for (const count of this.#running.values()) all += count
    return all < this.#runningMax && this.#of(owner) < Math.max(1, this.#runningMax - 1)
  }

  #of(owner: string): number {
    return this.#running.get(owner) ?? 0
  }

  #count(owner: string, change: number): void {
    const count = this.#of(owner) + change
    if (count === 0) this.#running.delete(owner)
    else this.#running.set(owner, count)
  }
}
