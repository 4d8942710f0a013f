import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import { AtelierError, asAtelierError, type EventTrigger, type GuardedNetwork } from '../../core/index.ts'
import type { RunningTrigger, TriggerEvent, TriggerHost } from '../kind.ts'
import { readNotification } from './cadf.ts'
import type { NotificationsConfig, ObjectConfig } from './config.ts'
import { isWanted, toTriggerEvent } from './event.ts'
import { deliverPatiently, pause, waitMs } from './patience.ts'

const EXCHANGE_DEFAULT = 'swift'
const ROUTING_KEY_DEFAULT = 'notifications.info'
const CONNECT_TIMEOUT_MS = 10_000
const HEARTBEAT_S = 20
/** Messages in hand, and the most that become calls in one transaction. */
const IN_HAND_MAX = 200
const MESSAGE_BYTES_MAX = 1024 * 1024
/** A queue that nobody reads must not fill the cloud's broker: it keeps so many messages, and goes after so long. */
const QUEUE_MESSAGES_MAX = 100_000
const QUEUE_EXPIRES_MS = 7 * 24 * 3_600_000

/**
 * Reads Swift's notifications from OpenStack's bus by a queue of its own, and acknowledges them when they are durable
 * calls. Several nodes share the queue. Comes back by itself when the broker does.
 */
export class BusConsumer implements RunningTrigger {
  readonly #config: ObjectConfig
  readonly #bus: NotificationsConfig
  readonly #queue: string
  readonly #host: TriggerHost
  readonly #network: GuardedNetwork
  readonly #stopping = new AbortController()
  readonly #ended: Promise<void>
  #isConnected = false

  constructor(trigger: EventTrigger, host: TriggerHost, network: GuardedNetwork) {
    this.#config = trigger.config as ObjectConfig
    this.#bus = this.#config.notifications!
    this.#queue = this.#bus.queue ?? `atelier-${trigger.id}`
    this.#host = host
    this.#network = network
    this.#ended = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new AtelierError('UNAVAILABLE', 'The trigger stops.'))
    await this.#ended
  }

  view(): { readonly details: Readonly<Record<string, unknown>> } {
    return { details: { connected: this.#isConnected, queue: this.#queue } }
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    await Promise.resolve() // the one who starts it has not got it yet
    for (let failures = 1; !signal.aborted; failures++) {
      try {
        await this.#session(() => (failures = 0))
      } catch (error) {
        if (!signal.aborted) this.#host.failed(error)
      }
      if (!signal.aborted) await pause(this.#host.clock, waitMs(Math.max(1, failures), Math.random()), signal)
    }
  }

  /** One connection, from its beginning to its end. */
  async #session(opened: () => void): Promise<void> {
    const model = await this.#connect()
    const inbox = new Inbox()
    const end = (why?: Error): void => inbox.end(why)
    model.on('error', end)
    model.on('close', end)
    const stop = (): void => end()
    this.#stopping.signal.addEventListener('abort', stop)
    try {
      const channel = await this.#subscribe(model, inbox)
      this.#isConnected = true
      this.#host.healthy()
      opened()
      for (let batch = await inbox.take(); batch !== undefined; batch = await inbox.take())
        await this.#handle(batch, channel)
      if (!this.#stopping.signal.aborted) throw new Error('the broker closed the connection')
    } catch (error) {
      if (error instanceof AtelierError) throw error
      throw busError(error, this.#where)
    } finally {
      this.#isConnected = false
      this.#stopping.signal.removeEventListener('abort', stop)
      await model.close().catch(() => undefined) // it may be closed already; what is in hand goes back to the queue
    }
  }

  async #connect(): Promise<ChannelModel> {
    const { connect, credentials } = await import('amqplib')
    const url = new URL(this.#bus.url)
    // The address that was judged is the one that is connected to.
    const hostname = await this.#network.resolve(url.hostname)
    const isEncrypted = url.protocol === 'amqps:'
    const { username = 'guest', password = 'guest' } = this.#bus
    try {
      return await connect(
        {
          protocol: isEncrypted ? 'amqps' : 'amqp',
          hostname,
          port: url.port === '' ? (isEncrypted ? 5671 : 5672) : Number(url.port),
          vhost: decodeURIComponent(url.pathname.slice(1)) || '/',
          heartbeat: HEARTBEAT_S,
        },
        {
          timeout: CONNECT_TIMEOUT_MS,
          credentials: credentials.plain(username, password),
          clientProperties: { connection_name: this.#queue },
          ...(isEncrypted && { servername: url.hostname }),
        },
      )
    } catch (error) {
      throw busError(error, this.#where)
    }
  }

  async #subscribe(model: ChannelModel, inbox: Inbox): Promise<Channel> {
    const exchange = this.#bus.exchange ?? EXCHANGE_DEFAULT
    const channel = await model.createChannel()
    channel.on('error', (error: Error) => inbox.end(error))
    // Swift declares it, with settings of its own: one declared here could keep Swift from doing so.
    await channel.checkExchange(exchange).catch((cause: unknown) => {
      throw new AtelierError(
        'UNAVAILABLE',
        `There is no exchange "${exchange}" at ${this.#where} yet: Swift declares it with its first notification.`,
        { cause },
      )
    })
    const bounds = { 'x-max-length': QUEUE_MESSAGES_MAX, 'x-expires': QUEUE_EXPIRES_MS }
    await channel.assertQueue(this.#queue, { durable: true, arguments: bounds })
    await channel.bindQueue(this.#queue, exchange, this.#bus.routingKey ?? ROUTING_KEY_DEFAULT)
    await channel.prefetch(IN_HAND_MAX)
    await channel.consume(this.#queue, message => {
      if (message === null) inbox.end(new Error('the queue was deleted'))
      else inbox.put(message)
    })
    return channel
  }

  async #handle(messages: readonly ConsumeMessage[], channel: Channel): Promise<void> {
    const events: TriggerEvent[] = []
    let unwanted = 0
    for (const message of messages) {
      const event = this.#read(message)
      if (event === 'unwanted') unwanted++
      else if (event !== 'unreadable') events.push(event)
    }
    if (unwanted > 0) this.#host.filtered(unwanted)
    if (events.length > 0) await deliverPatiently(this.#host, events, this.#stopping.signal)
    // A channel that ended meanwhile takes no word; the messages come again and are duplicates then.
    for (const message of messages) channel.ack(message)
  }

  /** What cannot be read would come for ever: it is told, and acknowledged. */
  #read({ content }: ConsumeMessage): TriggerEvent | 'unwanted' | 'unreadable' {
    try {
      if (content.length > MESSAGE_BYTES_MAX)
        throw new AtelierError(
          'BODY_TOO_LARGE',
          `A message on the bus has more than ${MESSAGE_BYTES_MAX} bytes.`,
        )
      const told = readNotification(content, this.#bus, this.#host.clock.now())
      return told !== 'unwanted' && isWanted(this.#config, told.happened) ? toTriggerEvent(told) : 'unwanted'
    } catch (error) {
      this.#host.failed(error)
      return 'unreadable'
    }
  }

  get #where(): string {
    return `the message bus at ${new URL(this.#bus.url).host}`
  }
}

/** Messages between the connection and the one who handles them; bounded by the prefetch. */
class Inbox {
  #messages: ConsumeMessage[] = []
  #ended: { readonly why: Error | undefined } | undefined
  #wake: () => void = () => undefined

  put(message: ConsumeMessage): void {
    this.#messages.push(message)
    this.#wake()
  }

  /** No more messages; what is left is given up. */
  end(why: Error | undefined): void {
    this.#ended ??= { why }
    this.#wake()
  }

  /** All that there is, when there is something; `undefined` at an end that was wanted. Rejects at another one. */
  async take(): Promise<readonly ConsumeMessage[] | undefined> {
    while (this.#messages.length === 0 && this.#ended === undefined)
      await new Promise<void>(resolve => (this.#wake = resolve))
    if (this.#ended?.why !== undefined) throw this.#ended.why
    if (this.#ended !== undefined) return undefined
    const taken = this.#messages
    this.#messages = []
    return taken
  }
}

/** Words for what brokers and sockets say. */
function busError(cause: unknown, where: string): AtelierError {
  if (cause instanceof AtelierError) return asAtelierError(cause)
  const said = cause instanceof Error ? `${'code' in cause ? String(cause.code) : ''} ${cause.message}` : ''
  if (/ACCESS[_-]REFUSED/.test(said) || /\b403\b/.test(said))
    return new AtelierError('FORBIDDEN', `The user is refused by ${where}, or may not read there.`, { cause })
  if (/PRECONDITION[_-]FAILED/.test(said))
    return new AtelierError(
      'CONFLICT',
      `The queue exists with other settings at ${where}: name another one.`,
      { cause },
    )
  if (/NOT[_-]ALLOWED/.test(said))
    return new AtelierError('FORBIDDEN', `The virtual host cannot be used at ${where}.`, { cause })
  const why = said.includes('ECONNREFUSED') ? 'refuses connections' : 'is not connected'
  return new AtelierError('UNAVAILABLE', `${where[0]!.toUpperCase()}${where.slice(1)} ${why}.`, { cause })
}
