import type { AsyncResult } from '../../async/index.ts'
import type { AtelierError } from '../../core/index.ts'
import type { TriggerEvent } from '../kind.ts'
import type { Delivery } from './source.ts'

/** One message in hand: handed over by the source, neither acknowledged nor given back. */
export interface Item {
  /** Replaced when the message comes again over a new session while it is still being worked on. */
  delivery: Delivery
  /** The session it came over, counted. */
  session: number
  readonly event: TriggerEvent
  readonly key: string | undefined
  readonly bytes: number
  readonly arrivedAt: number
  /** Attempts that failed. */
  attempts: number
  /** Not to be put into a batch with others: its batch has failed. */
  alone: boolean
  /** Why it is given up before any attempt. */
  readonly unfit?: AtelierError
}

/** Items that go through one call together, and how far they are. */
export interface Work {
  readonly items: readonly Item[]
  step:
    | { readonly kind: 'call' }
    /** The function has answered; the answer must still reach its topic. */
    | { readonly kind: 'answer'; readonly answer: AsyncResult }
    /** Attempts are used up; the messages must still reach the error topic. */
    | { readonly kind: 'give-up'; readonly error: AtelierError }
}

/**
 * What follows a failed attempt of several messages or of one. A batch is tried again once as a whole, then each message by
 * itself, so that the good ones get through; no message is given up before it was tried alone.
 */
export function afterFailure(work: Work, retries: number): 'retry' | 'split' | 'give-up' {
  const attempts = Math.max(...work.items.map(item => item.attempts))
  if (work.items.length > 1) return attempts < 2 && attempts <= retries ? 'retry' : 'split'
  return attempts <= retries ? 'retry' : 'give-up'
}

export function eventsOf(work: Work): readonly Item['event'][] {
  return work.items.map(item => item.event)
}
