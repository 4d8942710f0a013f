import type { ConnectionOptions, Consumer, Message, MessagesStream, Producer } from '@platformatic/kafka'
import type { GuardedNetwork } from '../../../core/index.ts'
import type { QueueConfig } from '../config.ts'
import { serversOf, tlsOf, tlsProblemOf } from '../network.ts'
import {
  type OutgoingMessage,
  type QueueMessage,
  type Session,
  type SessionEvents,
  type Source,
  SourceError,
} from '../source.ts'
import { type Guard, guardConnections } from './kafka-guard.ts'
import { Progress } from './partitions.ts'

const CONNECT_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 15_000
const SESSION_TIMEOUT_MS = 10_000
const HEARTBEAT_MS = 2_000
const COMMIT_EVERY_MS = 200
const LAG_EVERY_MS = 10_000
const FETCH_BYTES_MAX = 8 * 1024 * 1024
const FETCH_WAIT_MS = 1_000
const BUFFERED_MAX = 256

/** Kafka: a consumer group; per partition, what is handled without a gap is committed. */
export function kafkaSource(
  config: QueueConfig,
  group: string,
  member: string,
  network: GuardedNetwork,
): Source {
  return {
    async open(events) {
      const kafka = await import('@platformatic/kafka')
      guardConnections(kafka)
      const servers = serversOf('kafka', config)
      const tls = tlsOf(config, servers[0]!)
      const options = {
        clientId: 'atelier',
        bootstrapBrokers: servers.map(({ host, port }) => ({ host, port })),
        context: { network, encrypted: tls !== undefined } satisfies Guard,
        connectTimeout: CONNECT_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        timeout: REQUEST_TIMEOUT_MS,
        retries: 2,
        retryDelay: 300,
        ...(tls && { tls: { ...tls, lookup: network.lookup } as NonNullable<ConnectionOptions['tls']> }),
        ...(tls && tls.servername === undefined && { tlsServerName: true }),
        ...(config.username !== undefined && {
          sasl: {
            mechanism: kafka.SASLMechanisms[MECHANISMS[config.sasl ?? 'scram-sha-512']],
            username: config.username,
            password: config.password ?? '',
          },
        }),
      }
      const consumer = new kafka.Consumer({
        ...options,
        groupId: group,
        // A server that died and came back is the same member: nobody waits until the dead one's session has ended.
        groupInstanceId: member,
        sessionTimeout: SESSION_TIMEOUT_MS,
        heartbeatInterval: HEARTBEAT_MS,
        rebalanceTimeout: 30_000,
        autocommit: false,
        minBytes: 1,
        maxWaitTime: FETCH_WAIT_MS,
        maxBytes: FETCH_BYTES_MAX,
        highWaterMark: BUFFERED_MAX,
      })
      try {
        const stream = await consumer.consume({
          topics: [config.topic!],
          mode: 'committed',
          fallbackMode: config.from === 'oldest' ? 'earliest' : 'latest',
        })
        return new KafkaSession(consumer, stream, () => new kafka.Producer(options), config.topic!, events)
      } catch (thrown) {
        await consumer.close(true).catch(() => undefined)
        throw new SourceError(explain(thrown, config.topic!), thrown)
      }
    },
  }
}

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM_SHA_256',
  'scram-sha-512': 'SCRAM_SHA_512',
} as const

class KafkaSession implements Session {
  readonly #consumer: Consumer
  readonly #stream: MessagesStream<Buffer, Buffer, Buffer, Buffer>
  readonly #makeProducer: () => Producer
  readonly #topic: string
  readonly #events: SessionEvents
  readonly #progress = new Map<number, Progress>()
  readonly #timers: readonly NodeJS.Timeout[]
  #producer: Producer | undefined
  #inHand = 0
  #max = 0
  #wake: (() => void) | undefined
  #committing: Promise<void> | undefined
  #lag: number | undefined
  #closed = false

  constructor(
    consumer: Consumer,
    stream: MessagesStream<Buffer, Buffer, Buffer, Buffer>,
    makeProducer: () => Producer,
    topic: string,
    events: SessionEvents,
  ) {
    this.#consumer = consumer
    this.#stream = stream
    this.#makeProducer = makeProducer
    this.#topic = topic
    this.#events = events
    stream.on('error', error => this.#lost(explain(error, topic)))
    stream.on('offsets', () => void this.#holdBeginning())
    consumer.on('consumer:heartbeat:stalled', () => this.#lost('the broker was not heard of for too long'))
    void this.#read()
    this.#timers = [
      setInterval(() => void this.#commit(), COMMIT_EVERY_MS),
      setInterval(() => this.#askLag(), LAG_EVERY_MS),
    ]
    for (const timer of this.#timers) timer.unref()
  }

  setInHandMax(count: number): void {
    this.#max = count
    if (this.#inHand < count) this.#wake?.()
  }

  async publish(target: string, { data, contentType, headers, key }: OutgoingMessage): Promise<void> {
    this.#producer ??= this.#makeProducer()
    const sent = new Map<Buffer, Buffer>([[Buffer.from('content-type'), Buffer.from(contentType)]])
    for (const [name, value] of Object.entries(headers)) sent.set(Buffer.from(name), Buffer.from(value))
    const value = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    try {
      await this.#producer.send({
        messages: [
          { topic: target, value, headers: sent, ...(key !== undefined && { key: Buffer.from(key) }) },
        ],
        acks: -1,
      })
    } catch (thrown) {
      throw new SourceError(`the topic "${target}" takes no message`, thrown)
    }
  }

  lag(): number | undefined {
    return this.#lag
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#wake?.()
    await this.#committing
    await this.#commit()
    await this.#stream.close().catch(() => undefined)
    await this.#consumer.close(true).catch(() => undefined)
    await this.#producer?.close().catch(() => undefined)
  }

  async #read(): Promise<void> {
    try {
      for await (const message of this.#stream) {
        while (this.#inHand >= this.#max && !this.#closed)
          await new Promise<void>(resolve => (this.#wake = resolve))
        if (this.#closed) return
        this.#hand(message)
      }
      this.#lost('the broker ended the stream')
    } catch (error) {
      this.#lost(explain(error, this.#topic))
    }
  }

  #hand(raw: Message): void {
    const { partition, offset } = raw
    const progress = this.#progress.get(partition) ?? new Progress()
    this.#progress.set(partition, progress)
    progress.begin(offset)
    this.#inHand++
    let told = false
    const once = (act: () => void) => {
      if (told) return
      told = true
      this.#inHand--
      act()
      this.setInHandMax(this.#max)
    }
    this.#events.onDelivery({
      message: messageOf(raw),
      ack: () => once(() => progress.done(offset)),
      // It stays uncommitted: whoever reads the partition next gets it.
      giveBack: () => once(() => undefined),
    })
  }

  /** Where a new group begins becomes its position at once: else what comes before its first commit could be skipped. */
  async #holdBeginning(): Promise<void> {
    const committed = this.#stream.offsetsCommitted
    const offsets = [...this.#stream.offsetsToFetch]
      .filter(([key]) => (committed.get(key) ?? -1n) < 0n)
      .map(([key, offset]) => ({
        topic: this.#topic,
        partition: Number(key.slice(key.lastIndexOf(':') + 1)),
        offset,
        leaderEpoch: -1,
      }))
    if (offsets.length > 0) await this.#consumer.commit({ offsets }).catch(() => undefined)
  }

  async #commit(): Promise<void> {
    if (this.#committing) return this.#committing
    const own = new Set(this.#consumer.assignments?.find(each => each.topic === this.#topic)?.partitions)
    const offsets: { topic: string; partition: number; offset: bigint; leaderEpoch: number }[] = []
    for (const [partition, progress] of this.#progress) {
      const offset = progress.toCommit()
      if (own.has(partition)) {
        if (offset !== undefined) offsets.push({ topic: this.#topic, partition, offset, leaderEpoch: -1 })
      } else if (progress.isIdle) this.#progress.delete(partition)
    }
    if (offsets.length === 0) return
    this.#committing = this.#consumer
      .commit({ offsets })
      .then(
        () => {
          for (const { partition, offset } of offsets) this.#progress.get(partition)?.committed(offset)
        },
        () => undefined, // tried again with the next; what is never committed comes again
      )
      .finally(() => (this.#committing = undefined))
    return this.#committing
  }

  #askLag(): void {
    this.#consumer.getLag({ topics: [this.#topic] }).then(
      lag => {
        const own = (lag.get(this.#topic) ?? []).filter(each => each >= 0n)
        this.#lag = Number(own.reduce((sum, each) => sum + each, 0n))
      },
      () => undefined,
    )
  }

  #lost(reason: string): void {
    if (this.#closed) return
    void this.close()
    this.#events.onLost(reason)
  }
}

function messageOf({ key, value, headers, topic, partition, offset, timestamp }: Message): QueueMessage {
  const named: Record<string, string> = {}
  let contentType: string | undefined
  for (const [name, text] of headers) {
    const bare = name.toString('utf8')
    if (bare.toLowerCase() === 'content-type') contentType = text.toString('utf8')
    else named[bare] = text.toString('utf8')
  }
  const text = (key as Buffer | null)?.toString('utf8')
  return {
    id: `${topic}/${partition}/${offset}`,
    topic,
    key: text === '' ? undefined : text,
    data: value ?? Buffer.alloc(0),
    contentType,
    headers: named,
    facts: { partition: String(partition), offset: String(offset) },
    publishedAt: timestamp >= 0n ? Number(timestamp) : undefined,
  }
}

function explain(thrown: unknown, topic: string): string {
  const texts: string[] = []
  const collect = (error: unknown, depth: number): void => {
    if (!(error instanceof Error) || depth > 6) return
    if (error instanceof SourceError) texts.unshift(error.message)
    texts.push(error.message, String((error as { apiId?: unknown }).apiId ?? ''))
    collect(error.cause, depth + 1)
    if (error instanceof AggregateError) for (const each of error.errors) collect(each, depth + 1)
  }
  collect(thrown, 0)
  const own = texts.find(each => each.includes('event sources') || each.includes('cannot be found'))
  if (own !== undefined) return own
  const text = texts.join(' ')
  if (/UNKNOWN_TOPIC|does not host this topic|not found in metadata/i.test(text))
    return `there is no topic "${topic}"`
  if (/SASL|AUTHENTICATION|AUTHORIZATION/i.test(text))
    return 'the broker refused the login, or the right to read'
  const encryption = tlsProblemOf(thrown)
  if (encryption !== undefined) return encryption
  if (/ECONNREFUSED/.test(text)) return 'it refused the connection'
  if (/timed out|timeout/i.test(text)) return 'it did not answer in time'
  return 'the connection ended'
}
