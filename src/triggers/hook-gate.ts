import { AtelierError, type Clock } from '../core/index.ts'

/** How much one trigger takes from its senders. */
export interface GateLimits {
  /** Requests a second, on average. */
  readonly ratePerS: number
  /** Requests at once above that. */
  readonly burst: number
  /** Requests that are being handled. */
  readonly inHandMax: number
}

export const GATE_LIMITS_DEFAULT: GateLimits = { ratePerS: 100, burst: 200, inHandMax: 50 }

/** The schema of `limits` in the configuration of a kind with a URL. */
export const GATE_LIMITS_SCHEMA = {
  type: 'object',
  additionalProperties: false,
  description: 'What is taken from senders; more is answered 429 with `Retry-After`.',
  properties: {
    ratePerS: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 10_000,
      description: 'Requests a second, on average. Default 100.',
    },
    burst: {
      type: 'integer',
      minimum: 1,
      maximum: 100_000,
      description: 'Requests that may come at once above that. Default 200.',
    },
    inHandMax: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000,
      description: 'Requests that are handled at the same time. Default 50.',
    },
  },
} as const

/** Keeps floods away from one trigger: a bucket of tokens that fills with time, and a bound on what is in hand. */
export class HookGate {
  readonly #limits: GateLimits
  readonly #clock: Clock
  #tokens: number
  #filledAt: number
  #inHand = 0

  constructor(limits: GateLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#tokens = limits.burst
    this.#filledAt = clock.monotonic()
  }

  /** Lets `work` through, or rejects with TOO_MANY_REQUESTS that says when to come back. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    const { ratePerS, burst, inHandMax } = this.#limits
    const now = this.#clock.monotonic()
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * ratePerS)
    this.#filledAt = now
    if (this.#tokens < 1) throw tooMany((1 - this.#tokens) / ratePerS)
    if (this.#inHand >= inHandMax) throw tooMany(1)
    this.#tokens--
    this.#inHand++
    try {
      return await work()
    } finally {
      this.#inHand--
    }
  }
}

function tooMany(retryAfterS: number): AtelierError {
  return new AtelierError(
    'TOO_MANY_REQUESTS',
    'This trigger takes no more requests for now; send it again later.',
    {
      retryAfterS: Math.max(1, Math.ceil(retryAfterS)),
    },
  )
}
