import {
  type AcceptedCall,
  type AsyncCalls,
  type AsyncResult,
  type NewAsyncCall,
} from '../../src/async/index.ts'
import { type AsyncCall, AtelierError, newId } from '../../src/core/index.ts'

/** A call that was accepted, with what it was accepted for. */
export interface Taken extends AcceptedCall {
  readonly call: NewAsyncCall
  readonly acceptedAt: number
  state: AsyncCall['state']
}

type Used = Pick<AsyncCalls, 'accept' | 'get' | 'cancel'>

/** Accepts calls in memory, once for each idempotency key, and runs none: a test says how they end. */
export class CallLog implements Used {
  readonly taken: Taken[] = []
  /** What `accept` rejects with, while it is set. */
  refusal: AtelierError | undefined
  readonly #now: () => number
  readonly #keys = new Map<string, Taken>()

  constructor(now: () => number) {
    this.#now = now
  }

  /** For what needs an engine, and uses these parts of it. */
  get engine(): AsyncCalls {
    const missing = (): never => {
      throw new Error('this is not asked of triggers')
    }
    return {
      accept: calls => this.accept(calls),
      get: (projectId, id) => this.get(projectId, id),
      cancel: (projectId, id) => this.cancel(projectId, id),
      result: (): Promise<AsyncResult> => missing(),
      wait: missing,
      reserve: missing,
      takeReserved: missing,
      list: missing,
      cancelMany: missing,
      redrive: missing,
      forget: missing,
      queue: missing,
      usage: () => ({ queued: 0, bytes: 0 }),
      counters: {} as AsyncCalls['counters'],
      drain: missing,
      close: missing,
    }
  }

  async accept(calls: readonly NewAsyncCall[]): Promise<readonly AcceptedCall[]> {
    await Promise.resolve()
    if (this.refusal) throw this.refusal
    return calls.map(call => {
      const key = call.idempotencyKey && `${call.functionId} ${call.idempotencyKey}`
      const known = key === undefined ? undefined : this.#keys.get(key)
      if (known) return { id: known.id, duplicate: true }
      const acceptedAt = this.#now()
      const taken: Taken = { id: newId(acceptedAt), duplicate: false, call, acceptedAt, state: 'queued' }
      this.taken.push(taken)
      if (key !== undefined) this.#keys.set(key, taken)
      return { id: taken.id, duplicate: false }
    })
  }

  async get(_projectId: string, id: string): Promise<AsyncCall> {
    return { ...this.#need(id) } as unknown as AsyncCall
  }

  async cancel(_projectId: string, id: string): Promise<AsyncCall> {
    const taken = this.#need(id)
    if (taken.state !== 'queued' && taken.state !== 'running')
      throw new AtelierError('CONFLICT', 'It has ended.')
    taken.state = 'cancelled'
    return { ...taken } as unknown as AsyncCall
  }

  #need(id: string): Taken {
    const found = this.taken.find(each => each.id === id)
    if (!found) throw new AtelierError('NOT_FOUND', 'There is no such call.')
    return found
  }
}
