import { AtelierError, type Clock } from '../../core/index.ts'
import { backoffMs, RECONNECT } from './backoff.ts'
import { type Delivery, type Session, type Source, SourceError } from './source.ts'

const OPEN_TIMEOUT_MS = 20_000
/** A session that lived so long counts as having worked: the next wait is short again. */
const STABLE_MS = 5_000

export interface LinkListener {
  onUp(session: Session): void
  onDelivery(delivery: Delivery): void
  onDown(): void
  onProblem(error: AtelierError): void
}

export type LinkState = 'connecting' | 'connected' | 'waiting' | 'closed'

/** Keeps a session of a source open: opens, and opens again with growing waits when it is lost. */
export class Link {
  readonly #source: Source
  readonly #name: string
  readonly #listener: LinkListener
  readonly #clock: Clock
  readonly #chance: () => number
  readonly #closing = new AbortController()
  #state: LinkState = 'connecting'
  #session: Session | undefined
  #failures = 0
  #losses = 0
  #connectedAt = 0
  readonly #ended: Promise<void>

  constructor(
    source: Source,
    name: string,
    listener: LinkListener,
    clock: Clock,
    chance: () => number = Math.random,
  ) {
    this.#source = source
    this.#name = name
    this.#listener = listener
    this.#clock = clock
    this.#chance = chance
    this.#ended = this.#run()
  }

  get state(): LinkState {
    return this.#state
  }

  /** Sessions that were lost so far. */
  get losses(): number {
    return this.#losses
  }

  get session(): Session | undefined {
    return this.#session
  }

  /** Ends the session: what is not acknowledged goes back. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#ended
  }

  async #run(): Promise<void> {
    const closed = new Promise<void>(resolve =>
      this.#closing.signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    while (!this.#closing.signal.aborted) {
      this.#state = 'connecting'
      const lost = Promise.withResolvers<string>()
      try {
        const session = await this.#open(lost.resolve)
        this.#session = session
        this.#state = 'connected'
        this.#connectedAt = this.#clock.monotonic()
        this.#listener.onUp(session)
        const reason = await Promise.race([lost.promise, closed])
        this.#session = undefined
        if (reason !== undefined) {
          this.#losses++
          if (this.#clock.monotonic() - this.#connectedAt >= STABLE_MS) this.#failures = 0
          this.#problem(reason)
        }
        this.#listener.onDown()
        await session.close()
      } catch (error) {
        if (this.#closing.signal.aborted) break
        this.#problem(error instanceof SourceError ? error.message : 'it cannot be reached', error)
      }
      if (this.#closing.signal.aborted) break
      this.#state = 'waiting'
      await Promise.race([closed, this.#wait(backoffMs(RECONNECT, ++this.#failures, this.#chance()))])
    }
    this.#state = 'closed'
  }

  /** Bounded in time; a session that comes too late is closed. */
  async #open(onLost: (reason: string) => void): Promise<Session> {
    const giveUp = new AbortController()
    const signal = AbortSignal.any([giveUp.signal, this.#closing.signal])
    const opening = this.#source.open({ onDelivery: each => this.#listener.onDelivery(each), onLost }, signal)
    const stopped = Promise.withResolvers<never>()
    const cancel = this.#clock.after(OPEN_TIMEOUT_MS, () => {
      stopped.reject(new SourceError(`it did not answer within ${OPEN_TIMEOUT_MS / 1_000} s`))
      giveUp.abort()
    })
    signal.addEventListener('abort', () => stopped.reject(new SourceError('the trigger was stopped')), {
      once: true,
    })
    try {
      return await Promise.race([opening, stopped.promise])
    } catch (error) {
      opening.then(
        late => late.close(),
        () => undefined,
      )
      throw error
    } finally {
      cancel()
      stopped.promise.catch(() => undefined)
    }
  }

  #problem(reason: string, cause?: unknown): void {
    this.#listener.onProblem(
      new AtelierError('UNAVAILABLE', `The source ${this.#name} has no connection: ${reason}.`, { cause }),
    )
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }
}
