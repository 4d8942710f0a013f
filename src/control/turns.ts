import { AtelierError } from '../core/index.ts'

/** One at a time for each key, in the order of asking; different keys do not wait for each other. */
export class Turns {
  readonly #waiting = new Map<string, (() => void)[]>()
  readonly #waitingMax: number

  /** `waitingMax`: how many may wait for one key. */
  constructor(waitingMax: number) {
    this.#waitingMax = waitingMax
  }

  /**
   * Runs `work` when it is this caller's turn. Rejects with TOO_MANY_REQUESTS when too many wait, and with CANCELLED when
   * `signal` is aborted before the turn comes.
   */
  async take<T>(key: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#enter(key, signal)
    try {
      return await work()
    } finally {
      const queue = this.#waiting.get(key)
      const next = queue?.shift()
      if (next) next()
      else this.#waiting.delete(key)
    }
  }

  async #enter(key: string, signal: AbortSignal | undefined): Promise<void> {
    throwIfCancelled(signal)
    const queue = this.#waiting.get(key)
    if (!queue) {
      this.#waiting.set(key, [])
      return
    }
    if (queue.length >= this.#waitingMax)
      throw new AtelierError('TOO_MANY_REQUESTS', 'Too many changes of the same thing are waiting.', {
        retryAfterS: 5,
      })
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener('abort', leave)
        resolve()
      }
      const leave = (): void => {
        queue.splice(queue.indexOf(enter), 1)
        reject(cancelled())
      }
      queue.push(enter)
      signal?.addEventListener('abort', leave, { once: true })
    })
  }
}

/** Throws CANCELLED when the caller has left. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw cancelled()
}

function cancelled(): AtelierError {
  return new AtelierError('CANCELLED', 'The caller left before it was done; nothing was changed.')
}
