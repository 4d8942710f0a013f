/**
 * What a broker is to a `queue` trigger. A source opens sessions; a session hands over messages, never more at once than
 * it was told, and each is acknowledged or given back. A session that is lost is lost for good: the trigger opens another,
 * and what was not acknowledged comes again.
 */
export interface Source {
  /** Resolves when messages flow; rejects with a SourceError. Hands over nothing before `setInHandMax`. */
  open(events: SessionEvents, signal: AbortSignal): Promise<Session>
}

export interface SessionEvents {
  onDelivery(delivery: Delivery): void
  /** Once, when the session ends without having been closed. After it no delivery of this session comes. */
  onLost(reason: string): void
}

export interface Session {
  /** How many messages may be handed over and neither acknowledged nor given back. Cheap to call. */
  setInHandMax(count: number): void
  /** Resolves when the broker has it for good. Rejects with a SourceError. */
  publish(target: string, message: OutgoingMessage): Promise<void>
  /** Messages that wait at the broker, as last heard; `undefined` when that is not known. */
  lag(): number | undefined
  /** Tells the broker what was acknowledged, gives the rest back. Never rejects. */
  close(): Promise<void>
}

export interface Delivery {
  readonly message: QueueMessage
  /** It is handled. What cannot be told (the session is lost) is delivered again. */
  ack(): void
  /** It is not handled: to be delivered again, to whoever asks. */
  giveBack(): void
  /** It is still being worked on. Called every `KEEP_EVERY_MS`. */
  keep?(): void
}

export const KEEP_EVERY_MS = 5_000

export interface QueueMessage {
  /** Where it stands at its source: the same whenever it is delivered. `undefined` when the broker tells none. */
  readonly id: string | undefined
  /** The id that its publisher, or the broker, gave it; `id` where that is absent. */
  readonly publishedId?: string | undefined
  /** Topic, subject, queue or stream it came through. */
  readonly topic: string
  readonly key?: string | undefined
  readonly data: Uint8Array
  readonly contentType?: string | undefined
  /** Headers or attributes as the publisher wrote them. */
  readonly headers: Readonly<Record<string, string>>
  /** What the broker knows of it beside (partition, sequence …), for headers `atelier-<name>`. */
  readonly facts: Readonly<Record<string, string>>
  /** When it was published (epoch ms), where the broker tells. */
  readonly publishedAt?: number | undefined
}

export interface OutgoingMessage {
  readonly data: Uint8Array
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly key?: string | undefined
}

/** What went wrong at a broker, in words for the trigger's owner; the library's own error is the cause. */
export class SourceError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'SourceError'
  }
}
