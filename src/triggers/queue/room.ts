/** Messages that wait for another attempt or for their key, at once; past that no more are asked for. */
const WAITING_MAX = 1_000
const IN_HAND_MAX = 2_000
const IN_HAND_BYTES_MAX = 64 * 1024 * 1024

export interface Demand {
  /** Calls that run, and those that could. */
  readonly calls: number
  readonly messagesPerCall: number
  /** Messages in hand that wait for another attempt, or for others with their key. */
  readonly waiting: number
  readonly inHand: number
  readonly bytesInHand: number
}

/**
 * How many messages may be in hand: one round in work and the next ready, so that no call waits for the broker's answer,
 * beside those that only wait. Never none, so that a function that sleeps is woken.
 */
export function inHandMax({ calls, messagesPerCall, waiting, inHand, bytesInHand }: Demand): number {
  if (waiting >= WAITING_MAX || bytesInHand >= IN_HAND_BYTES_MAX) return inHand
  return Math.min(IN_HAND_MAX, 2 * Math.max(1, calls) * messagesPerCall) + waiting
}
