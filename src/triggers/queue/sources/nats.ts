import type { JetStreamClient, JetStreamManager, JsMsg } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { GuardedNetwork } from '../../../core/index.ts'
import type { QueueConfig } from '../config.ts'
import { serversOf, tlsOf, tlsProblemOf } from '../network.ts'
import type { OutgoingMessage, QueueMessage, Session, SessionEvents, Source } from '../source.ts'
import { SourceError } from '../source.ts'
import { PullLoop } from './pull-loop.ts'

/** A message that was handed out and not heard of for so long is delivered again; `keep` puts it off. */
const ACK_WAIT_MS = 20_000
const FETCH_MAX = 500
/**
 * A session that ends waits for its last request: short. But a request that hears no heartbeat for so long is given up, and
 * what comes for it then waits for `ACK_WAIT_MS`: not too short for a busy machine.
 */
const FETCH_WAIT_MS = 2_000
const LAG_EVERY_MS = 5_000
const REPLY_TIMEOUT_MS = 10_000

/** NATS JetStream: a durable pull consumer of one stream, made when it is not there. */
export function natsSource(config: QueueConfig, group: string, network: GuardedNetwork): Source {
  return {
    async open(events) {
      const [{ connect, usernamePasswordAuthenticator, tokenAuthenticator }, jetstream] = await Promise.all([
        import('@nats-io/transport-node'),
        import('@nats-io/jetstream'),
      ])
      const servers = serversOf('nats', config)
      // The addresses are looked up here and connected to as they are: names would be looked up again.
      const addresses = await Promise.all(
        servers.map(async each => `${bracketed(await network.resolve(each.host))}:${each.port}`),
      )
      const tls = tlsOf(config, servers[0]!)
      const connection = await connect({
        servers: addresses,
        ignoreClusterUpdates: true, // they would name addresses that nobody has judged
        reconnect: false,
        timeout: REPLY_TIMEOUT_MS,
        name: `atelier ${group}`,
        ...(tls && {
          tls: {
            ...(typeof tls.ca === 'string' && { ca: tls.ca }),
            ...(typeof tls.cert === 'string' && { cert: tls.cert }),
            ...(typeof tls.key === 'string' && { key: tls.key }),
            ...(tls.servername !== undefined && { servername: tls.servername }),
          },
        }),
        ...(config.username !== undefined && {
          authenticator: usernamePasswordAuthenticator(config.username, config.password ?? ''),
        }),
        ...(config.token !== undefined && { authenticator: tokenAuthenticator(config.token) }),
      }).catch(thrown => {
        throw new SourceError(explain(thrown), thrown)
      })
      try {
        const manager = await jetstream.jetstreamManager(connection, { timeout: REPLY_TIMEOUT_MS })
        await ensureConsumer(manager, config, group)
        const client = jetstream.jetstream(connection, { timeout: REPLY_TIMEOUT_MS })
        return new NatsSession(connection, client, manager, config.stream!, group, events)
      } catch (thrown) {
        await connection.close().catch(() => undefined)
        throw thrown instanceof SourceError ? thrown : new SourceError(explain(thrown), thrown)
      }
    },
  }
}

async function ensureConsumer(manager: JetStreamManager, config: QueueConfig, group: string): Promise<void> {
  const stream = config.stream!
  await manager.streams.info(stream).catch(thrown => {
    throw new SourceError(`there is no stream "${stream}"`, thrown)
  })
  try {
    await manager.consumers.info(stream, group)
    return
  } catch {
    // not there yet
  }
  await manager.consumers.add(stream, {
    durable_name: group,
    ack_policy: 'explicit',
    deliver_policy: config.from === 'oldest' ? 'all' : 'new',
    ack_wait: ACK_WAIT_MS * 1_000_000,
    max_ack_pending: 10_000,
    ...(config.subject !== undefined && { filter_subject: config.subject }),
  })
}

class NatsSession implements Session {
  readonly #connection: NatsConnection
  readonly #client: JetStreamClient
  readonly #loop: PullLoop<JsMsg>
  readonly #events: SessionEvents
  readonly #lagTimer: NodeJS.Timeout
  /** Given back when nothing more is asked for: before that they would come at once, and to nobody. */
  readonly #returned: JsMsg[] = []
  #lag: number | undefined
  #closed = false

  constructor(
    connection: NatsConnection,
    client: JetStreamClient,
    manager: JetStreamManager,
    stream: string,
    group: string,
    events: SessionEvents,
  ) {
    this.#connection = connection
    this.#client = client
    this.#events = events
    let finding: ReturnType<typeof client.consumers.get> | undefined
    this.#loop = new PullLoop({
      pull: async room => {
        const consumer = await (finding ??= client.consumers.get(stream, group))
        if (this.#closed) return []
        return consumer.fetch({ max_messages: Math.min(room, FETCH_MAX), expires: FETCH_WAIT_MS })
      },
      onMessage: message => this.#hand(message),
      onLeft: message => this.#returned.push(message),
      onBroken: error => this.#lost(explain(error)),
    })
    void connection
      .closed()
      .then(error => this.#lost(error ? explain(error) : 'the server closed the connection'))
    this.#lagTimer = setInterval(() => {
      manager.consumers.info(stream, group).then(
        info => (this.#lag = info.num_pending + info.num_ack_pending),
        () => undefined,
      )
    }, LAG_EVERY_MS)
    this.#lagTimer.unref()
  }

  setInHandMax(count: number): void {
    this.#loop.setInHandMax(count)
  }

  async publish(target: string, { data, contentType, headers, key }: OutgoingMessage): Promise<void> {
    const { headers: newHeaders } = await import('@nats-io/transport-node')
    const sent = newHeaders()
    for (const [name, value] of Object.entries(headers))
      if (/^[\x21-\x39\x3b-\x7e]+$/.test(name)) sent.set(name, oneLine(value))
    sent.set('content-type', contentType)
    if (key !== undefined) sent.set('atelier-key', oneLine(key))
    try {
      await this.#client.publish(target, data, { headers: sent, timeout: REPLY_TIMEOUT_MS })
    } catch (thrown) {
      throw new SourceError(`no stream keeps the subject "${target}", or it refused the message`, thrown)
    }
  }

  lag(): number | undefined {
    return this.#lag
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearInterval(this.#lagTimer)
    this.#loop.stop()
    // Not cut short: what the server has sent already would be lost until it stops waiting for it.
    if (!this.#connection.isClosed()) await this.#loop.ended
    for (const message of this.#returned) message.nak()
    // What was acknowledged must have left before the connection ends.
    await this.#connection.flush().catch(() => undefined)
    await this.#connection.close().catch(() => undefined)
  }

  #hand(raw: JsMsg): void {
    const once = this.#loop.holding()
    this.#events.onDelivery({
      message: messageOf(raw),
      ack: () => once(() => raw.ack()),
      giveBack: () => once(() => this.#returned.push(raw)),
      keep: () => raw.working(),
    })
  }

  #lost(reason: string): void {
    if (this.#closed) return
    void this.close()
    this.#events.onLost(reason)
  }
}

function messageOf(raw: JsMsg): QueueMessage {
  const headers: Record<string, string> = {}
  let contentType: string | undefined
  for (const [name, values] of raw.headers ?? []) {
    if (name.toLowerCase() === 'content-type') contentType = values[0]
    else headers[name] = values.join(', ')
  }
  return {
    id: `${raw.info.stream}/${raw.seq}`,
    topic: raw.subject,
    key: headers['atelier-key'],
    data: raw.data,
    contentType,
    headers,
    facts: { stream: raw.info.stream, sequence: String(raw.seq), deliveries: String(raw.info.deliveryCount) },
    publishedAt: Math.floor(raw.info.timestampNanos / 1e6),
  }
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address
}

function oneLine(value: string): string {
  return value.replace(/[\r\n]+/g, ' ')
}

function explain(thrown: unknown): string {
  if (thrown instanceof SourceError) return thrown.message
  const text = thrown instanceof Error ? `${thrown.name} ${thrown.message}`.toLowerCase() : ''
  if (text.includes('authorization')) return 'the server refused the login'
  const encryption = tlsProblemOf(thrown)
  if (encryption !== undefined) return encryption
  if (text.includes('refused') || text.includes('econn')) return 'it refused the connection'
  if (text.includes('jetstream') && text.includes('not enabled')) return 'JetStream is not enabled there'
  if (text.includes('consumer not found') || text.includes('consumer deleted'))
    return 'the consumer was deleted'
  if (text.includes('timeout')) return 'it did not answer in time'
  return 'the connection ended'
}
