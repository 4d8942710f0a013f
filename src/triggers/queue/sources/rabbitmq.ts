import type { ChannelModel, ConfirmChannel, ConsumeMessage } from 'amqplib'
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

const CONNECT_TIMEOUT_MS = 10_000
const HEARTBEAT_S = 20
const PREFETCH_MAX = 10_000 // the protocol allows 65,535
const LAG_EVERY_MS = 5_000

/** RabbitMQ and whatever else speaks AMQP 0-9-1: one queue, prefetch as large as what may be in hand. */
export function rabbitmqSource(config: QueueConfig, group: string, network: GuardedNetwork): Source {
  let next = 0
  return {
    async open(events) {
      const { connect, credentials } = await import('amqplib')
      const servers = serversOf('rabbitmq', config)
      const server = servers[next++ % servers.length]!
      const tls = tlsOf(config, server)
      // The address that was judged is the one that is connected to.
      const address = await network.resolve(server.host)
      const model = await connect(
        {
          protocol: tls ? 'amqps' : 'amqp',
          hostname: address,
          port: server.port,
          vhost: server.path === '' ? '/' : server.path,
          heartbeat: HEARTBEAT_S,
        },
        {
          ...tls,
          timeout: CONNECT_TIMEOUT_MS,
          noDelay: true,
          credentials: credentials.plain(config.username ?? 'guest', config.password ?? 'guest'),
          clientProperties: { connection_name: `atelier ${group}` },
        },
      ).catch(thrown => {
        throw new SourceError(explain(thrown), thrown)
      })
      // Until the session listens: an error without a listener would end the process.
      model.on('error', () => undefined)
      try {
        const channel = await model.createConfirmChannel()
        channel.on('error', () => undefined)
        await declare(channel, config)
        return new RabbitSession(model, channel, config.queue!, events)
      } catch (thrown) {
        await model.close().catch(() => undefined)
        throw new SourceError(explain(thrown), thrown)
      }
    },
  }
}

async function declare(
  channel: ConfirmChannel,
  { queue = '', exchange, routingKey = '#' }: QueueConfig,
): Promise<void> {
  if (exchange === undefined) {
    await channel.checkQueue(queue)
    return
  }
  await channel.assertQueue(queue, { durable: true })
  await channel.bindQueue(queue, exchange, routingKey)
}

class RabbitSession implements Session {
  readonly #model: ChannelModel
  readonly #channel: ConfirmChannel
  readonly #queue: string
  readonly #events: SessionEvents
  readonly #lagTimer: NodeJS.Timeout
  /** Messages that came back since no queue takes them, by the id that was given for that. */
  readonly #unroutable = new Set<string>()
  #published = 0
  #prefetch = 0
  #tag: string | undefined
  #changing: Promise<void> = Promise.resolve()
  #lag: number | undefined
  #ended = false

  constructor(model: ChannelModel, channel: ConfirmChannel, queue: string, events: SessionEvents) {
    this.#model = model
    this.#channel = channel
    this.#queue = queue
    this.#events = events
    model.on('close', error => this.#lost(error ? explain(error) : 'the broker closed the connection'))
    channel.on('error', error => this.#lost(explain(error)))
    channel.on('close', () => this.#lost('the broker closed the channel'))
    channel.on('return', message => this.#unroutable.add(String(message.properties.messageId)))
    this.#lagTimer = setInterval(() => this.#askLag(), LAG_EVERY_MS)
    this.#lagTimer.unref()
  }

  /** The prefetch of a consumer cannot be changed: it is exchanged, and only when that is worth it. */
  setInHandMax(count: number): void {
    const wanted = Math.min(PREFETCH_MAX, 2 ** Math.ceil(Math.log2(Math.max(1, count))))
    const slack = wanted > this.#prefetch || wanted * 4 <= this.#prefetch
    if (!slack || this.#ended) return
    this.#prefetch = wanted
    this.#changing = this.#changing
      .then(() => this.#consume(wanted))
      .catch(error => this.#lost(explain(error)))
  }

  publish(target: string, { data, contentType, headers, key }: OutgoingMessage): Promise<void> {
    const slash = target.indexOf('/')
    const exchange = slash < 0 ? '' : target.slice(0, slash)
    const routingKey = slash < 0 ? target : target.slice(slash + 1)
    const messageId = `${headers['atelier-message-id'] ?? 'answer'} ${++this.#published}`
    return new Promise((resolve, reject) => {
      const options = {
        persistent: true,
        mandatory: true,
        contentType,
        messageId,
        headers: { ...headers, ...(key !== undefined && { 'atelier-key': key }) },
      }
      try {
        this.#channel.publish(exchange, routingKey, asBuffer(data), options, error => {
          // A message that no queue takes is returned before it is confirmed.
          if (this.#unroutable.delete(messageId))
            reject(new SourceError(`no queue takes messages for "${target}"`))
          else if (error) reject(new SourceError('the broker refused the message', error))
          else resolve()
        })
      } catch (thrown) {
        reject(new SourceError('the channel is closed', thrown))
      }
    })
  }

  lag(): number | undefined {
    return this.#lag
  }

  async close(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#lagTimer)
    await this.#changing
    await this.#channel.close().catch(() => undefined)
    await this.#model.close().catch(() => undefined)
  }

  async #consume(prefetch: number): Promise<void> {
    if (this.#ended) return
    // Messages in hand stay in hand: they belong to the channel.
    if (this.#tag !== undefined) await this.#channel.cancel(this.#tag)
    await this.#channel.prefetch(prefetch)
    const reply = await this.#channel.consume(this.#queue, message => {
      if (message) this.#hand(message)
      else this.#lost('the queue was deleted')
    })
    this.#tag = reply.consumerTag
  }

  #hand(raw: ConsumeMessage): void {
    if (this.#ended) return
    let told = false
    const once = (act: () => void) => {
      if (told || this.#ended) return
      told = true
      act()
    }
    this.#events.onDelivery({
      message: messageOf(raw, this.#queue),
      ack: () => once(() => this.#channel.ack(raw)),
      giveBack: () => once(() => this.#channel.nack(raw, false, true)),
    })
  }

  #askLag(): void {
    this.#channel.checkQueue(this.#queue).then(
      reply => (this.#lag = reply.messageCount),
      () => undefined,
    )
  }

  #lost(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#lagTimer)
    this.#model.close().catch(() => undefined)
    this.#events.onLost(reason)
  }
}

function messageOf({ content, fields, properties }: ConsumeMessage, queue: string): QueueMessage {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries<unknown>(properties.headers ?? {})) {
    const text = textOf(value)
    if (text !== undefined) headers[name] = text
  }
  const facts: Record<string, string> = { queue, 'routing-key': fields.routingKey, exchange: fields.exchange }
  if (fields.redelivered) facts['redelivered'] = 'true'
  for (const [name, value] of [
    ['correlation-id', properties.correlationId],
    ['reply-to', properties.replyTo],
    ['message-type', properties.type],
    ['amqp-message-id', properties.messageId],
  ] as const)
    if (typeof value === 'string') facts[name] = value
  const seconds: unknown = properties.timestamp
  return {
    id: undefined, // a message id is the publisher's word, and two messages may have the same
    topic: fields.routingKey === '' ? queue : fields.routingKey,
    key: headers['atelier-key'] ?? fields.routingKey,
    data: content,
    contentType: typeof properties.contentType === 'string' ? properties.contentType : undefined,
    headers,
    facts,
    publishedAt: typeof seconds === 'number' && seconds > 0 && seconds < 1e11 ? seconds * 1_000 : undefined,
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value)
  if (Buffer.isBuffer(value)) return value.toString('utf8')
  return undefined // tables and arrays have no place in a header
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function explain(thrown: unknown): string {
  if (thrown instanceof SourceError) return thrown.message
  const { code, message } = (thrown instanceof Error ? thrown : {}) as { code?: unknown; message?: string }
  const text = message ?? ''
  if (/ACCESS[_-]REFUSED|403/.test(text)) return 'the broker refused the login, or the right to use the queue'
  if (code === 404 || /NOT[_-]FOUND|404/.test(text)) return 'there is no such queue, exchange or virtual host'
  if (/PRECONDITION/.test(text) || code === 406)
    return 'the queue exists and is of another kind, or a message was held too long'
  const encryption = tlsProblemOf(thrown)
  if (encryption !== undefined) return encryption
  if (code === 'ECONNREFUSED') return 'it refused the connection'
  if (/ETIMEDOUT|timeout/i.test(text)) return 'it did not answer in time'
  if (/heartbeat/i.test(text)) return 'it was not heard of for too long'
  return 'the connection ended'
}
