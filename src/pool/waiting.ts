import { AtelierError } from '../core/index.ts'
import type { Lease } from './pool.ts'

/** One call that waits for a slot. */
interface Waiter {
  readonly since: number
  readonly resolve: (lease: Lease) => void
  readonly reject: (error: AtelierError) => void
  readonly forget: () => void
  previous: Waiter | undefined
  next: Waiter | undefined
  inLine: boolean
}

/** How one wait may end other than with a slot. */
export interface WaitLimits {
  readonly since: number
  /** Calls back once when the wait is over; the returned function cancels. */
  readonly expire: (callback: () => void) => () => void
  readonly expired: () => AtelierError
  readonly signal: AbortSignal | undefined
  /** Told when a waiter left without having been served. */
  readonly onLeave: () => void
}

/** The calls of one version that wait for a slot: oldest first, bounded by who puts them in, each with a deadline. */
export class WaitingLine {
  length = 0
  #first: Waiter | undefined
  #last: Waiter | undefined

  /** When the oldest call began to wait; `Infinity` when none does. */
  get since(): number {
    return this.#first?.since ?? Number.POSITIVE_INFINITY
  }

  /** Joins the end. Rejects with what `expired` says, or CANCELLED when the signal is aborted. */
  join(limits: WaitLimits): Promise<Lease> {
    return new Promise((resolve, reject) => {
      const { signal } = limits
      const leave = (error: AtelierError): void => {
        if (!waiter.inLine) return
        this.#remove(waiter)
        reject(error)
        limits.onLeave()
      }
      const onAbort = (): void =>
        leave(new AtelierError('CANCELLED', 'The caller left while the call waited for a slot.'))
      const cancelTimer = limits.expire(() => leave(limits.expired()))
      signal?.addEventListener('abort', onAbort, { once: true })
      const forget = (): void => {
        cancelTimer()
        signal?.removeEventListener('abort', onAbort)
      }
      const waiter: Waiter = {
        since: limits.since,
        resolve,
        reject,
        forget,
        previous: this.#last,
        next: undefined,
        inLine: true,
      }
      if (this.#last) this.#last.next = waiter
      else this.#first = waiter
      this.#last = waiter
      this.length++
      if (signal?.aborted) onAbort()
    })
  }

  /** Gives `lease` to the oldest call; there must be one. */
  serve(lease: Lease): void {
    const waiter = this.#first!
    this.#remove(waiter)
    waiter.resolve(lease)
  }

  /** Fails every waiting call. */
  failAll(error: AtelierError): void {
    for (let waiter = this.#first; waiter; waiter = this.#first) {
      this.#remove(waiter)
      waiter.reject(error)
    }
  }

  /** How many calls have waited since `time` or longer. */
  countSince(time: number): number {
    let count = 0
    for (let waiter = this.#first; waiter && waiter.since <= time; waiter = waiter.next) count++
    return count
  }

  #remove(waiter: Waiter): void {
    if (waiter.previous) waiter.previous.next = waiter.next
    else this.#first = waiter.next
    if (waiter.next) waiter.next.previous = waiter.previous
    else this.#last = waiter.previous
    waiter.previous = waiter.next = undefined
    waiter.inLine = false
    this.length--
    waiter.forget()
  }
}
