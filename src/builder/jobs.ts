import { AtelierError } from '../core/index.ts'
import type { BuildEvent } from './build.ts'
import { Places } from './places.ts'

const REPLAYED_EVENTS_MAX = 20_000

type Listener = (event: BuildEvent) => void

interface Job<T> {
  readonly result: Promise<T>
  readonly stop: AbortController
  readonly listeners: Set<Listener>
  /** What has been said so far, for those who join later. The log bounds its text, this its pieces. */
  readonly said: BuildEvent[]
}

/**
 * Work under keys: the same key asked for twice runs once, and so many keys run at a time while so many wait, shared fairly
 * between their owners. A job ends when nobody waits for its result any more.
 */
export class Jobs<T> {
  readonly #places: Places
  readonly #jobs = new Map<string, Job<T>>()

  constructor(runningMax: number, waitingMax: number) {
    this.#places = new Places(runningMax, waitingMax)
  }

  /** Rejects with UNAVAILABLE at once when too many wait, and with CANCELLED when `signal` aborts. */
  async run(
    key: string,
    owner: string,
    listener: Listener,
    signal: AbortSignal,
    work: (emit: Listener, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (signal.aborted) throw givenUp(signal)
    const job = this.#jobs.get(key) ?? this.#begin(key, owner, work)
    for (const event of job.said) listener(event)
    const mine: Listener = event => listener(event)
    job.listeners.add(mine)
    const { promise: left, reject } = Promise.withResolvers<never>()
    const leave = () => reject(givenUp(signal))
    signal.addEventListener('abort', leave, { once: true })
    try {
      return await Promise.race([job.result, left])
    } finally {
      signal.removeEventListener('abort', leave)
      job.listeners.delete(mine)
      if (job.listeners.size === 0) {
        job.stop.abort(new Error('nobody waits for this build any more'))
        // Whoever comes now begins anew: this one is ending.
        if (this.#jobs.get(key) === job) this.#jobs.delete(key)
        // The last to leave waits until everything is removed.
        await job.result.catch(() => {})
      }
    }
  }

  /** Stops everything; resolves when it has ended. */
  async close(): Promise<void> {
    const jobs = [...this.#jobs.values()]
    for (const job of jobs) job.stop.abort(new Error('the server is stopping'))
    await Promise.allSettled(jobs.map(job => job.result))
  }

  #begin(key: string, owner: string, work: (emit: Listener, signal: AbortSignal) => Promise<T>): Job<T> {
    this.#places.check(owner)
    const stop = new AbortController()
    const listeners = new Set<Listener>()
    const said: BuildEvent[] = []
    const emit: Listener = event => {
      if (said.length < REPLAYED_EVENTS_MAX) said.push(event)
      for (const listener of listeners) listener(event)
    }
    const result = this.#inTurn(owner, stop.signal, () => work(emit, stop.signal)).finally(() => {
      if (this.#jobs.get(key) === job) this.#jobs.delete(key)
    })
    const job: Job<T> = { result, stop, listeners, said }
    this.#jobs.set(key, job)
    return job
  }

  async #inTurn(owner: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (!(await this.#places.take(owner, signal))) throw givenUp(signal)
    try {
      if (signal.aborted) throw givenUp(signal)
      return await work()
    } finally {
      this.#places.giveBack(owner)
    }
  }
}

function givenUp(signal: AbortSignal): AtelierError {
  return new AtelierError('CANCELLED', 'The build was given up.', { cause: signal.reason })
}
