import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { IClientOptions, IPublishPacket, MqttClient, Packet } from 'mqtt'
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
const PUBLISH_TIMEOUT_MS = 10_000
const KEEPALIVE_S = 30
/** How long the broker keeps the session, and what comes for it, while nobody is connected. */
const SESSION_EXPIRY_S = 7 * 86_400
const PACKET_BYTES_MAX = 16 * 1024 * 1024
const RECEIVE_MAX = 2_000
const WAITING_BYTES_MAX = 64 * 1024 * 1024 // of messages that nobody has asked for yet
const UNSUPPORTED_VERSION: readonly unknown[] = [1, 132]

/**
 * MQTT 5, or 3.1.1 where the broker knows no other, with a persistent session. A message is acknowledged (PUBACK) when it
 * is handled, each by itself: so one that is tried again does not hold up the others. The subscription asks for QoS 1:
 * a function sees a message at least once whatever the protocol does, so QoS 2 would only cost.
 */
export function mqttSource(config: QueueConfig, clientId: string, network: GuardedNetwork): Source {
  let next = 0
  let version: 4 | 5 = 5
  return {
    async open(events) {
      const { MqttClient } = await import('mqtt')
      const servers = serversOf('mqtt', config)
      const server = servers[next++ % servers.length]!
      const tls = tlsOf(config, server)
      const host = await network.resolve(server.host)
      const place = { host, port: server.port }
      const client = new MqttClient(
        () => (tls ? connectTls({ ...tls, ...place }) : connectTcp(place)),
        clientOptions(config, clientId, version),
      )
      const session = new MqttSession(client, version, events)
      try {
        await session.ready()
        await session.subscribe(config)
        return session
      } catch (thrown) {
        await session.close()
        if (version === 5 && UNSUPPORTED_VERSION.includes((thrown as { code?: unknown }).code)) version = 4
        throw new SourceError(explain(thrown), thrown)
      }
    },
  }
}

function clientOptions(config: QueueConfig, clientId: string, version: 4 | 5): IClientOptions {
  const receiveMaximum = Math.min(RECEIVE_MAX, 2 * config.concurrency * config.batch.size)
  return {
    clientId,
    clean: false,
    protocolVersion: version,
    keepalive: KEEPALIVE_S,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectPeriod: 0,
    resubscribe: false,
    ...(config.username !== undefined && { username: config.username }),
    ...(config.password !== undefined && { password: config.password }),
    ...(version === 5 && {
      properties: {
        sessionExpiryInterval: SESSION_EXPIRY_S,
        receiveMaximum,
        maximumPacketSize: PACKET_BYTES_MAX,
      },
    }),
  }
}

class MqttSession implements Session {
  readonly #client: MqttClient
  readonly #version: 4 | 5
  readonly #events: SessionEvents
  readonly #ready = Promise.withResolvers<void>()
  readonly #ended = Promise.withResolvers<never>()
  readonly #qos = new WeakMap<IPublishPacket, number>()
  /** What the broker sent before anybody asked for it. */
  #waiting: IPublishPacket[] = []
  #waitingBytes = 0
  #inHandMax = 0
  #inHand = 0
  #isUp = false
  #closed = false

  constructor(client: MqttClient, version: 4 | 5, events: SessionEvents) {
    this.#client = client
    this.#version = version
    this.#events = events
    this.#ended.promise.catch(() => undefined)
    this.#ready.promise.catch(() => undefined)
    client.on('connect', () => this.#ready.resolve())
    client.on('error', error => (this.#isUp ? this.#lost(explain(error)) : this.#ready.reject(error)))
    client.on('close', () => this.#lost('the broker closed the connection'))
    client.on('packetreceive', packet => this.#takeOver(packet))
    client.on('message', (_topic, _payload, packet) => this.#arrive(packet))
  }

  async ready(): Promise<void> {
    await this.#ready.promise
    this.#isUp = true
  }

  async subscribe(config: QueueConfig): Promise<void> {
    const filter = config.group === undefined ? config.topic! : `$share/${config.group}/${config.topic!}`
    // Retained messages only when the subscription is new, not at each reconnection.
    const granted = await this.#client.subscribeAsync(filter, {
      qos: 1,
      ...(this.#version === 5 && { rh: 1 }),
    })
    const code = granted[0]?.qos ?? 128
    if (code >= 128) throw new SourceError(`the broker refused the subscription to "${filter}"`)
    if (code === 0)
      throw new SourceError(`the broker gives only QoS 0 for "${filter}", which may lose messages`)
  }

  /** The broker was told a bound when the session began; what comes beyond the one of now waits here. */
  setInHandMax(count: number): void {
    this.#inHandMax = count
    while (this.#inHand < this.#inHandMax && this.#waiting.length > 0) {
      const packet = this.#waiting.shift()!
      this.#waitingBytes -= packet.payload.length
      this.#hand(packet)
    }
  }

  async publish(target: string, { data, contentType, headers, key }: OutgoingMessage): Promise<void> {
    const userProperties = { ...headers, ...(key !== undefined && { 'atelier-key': key }) }
    const properties = this.#version === 5 ? { properties: { contentType, userProperties } } : {}
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(reject, PUBLISH_TIMEOUT_MS, new SourceError('the broker did not confirm in time'))
    })
    try {
      const payload = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
      await Promise.race([
        this.#client.publishAsync(target, payload, { qos: 1, ...properties }),
        this.#ended.promise,
        late,
      ])
    } catch (thrown) {
      throw new SourceError(`the broker did not take the message for "${target}"`, thrown)
    } finally {
      clearTimeout(timer)
    }
  }

  lag(): number | undefined {
    return undefined // the protocol does not tell
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#ended.reject(new SourceError('the connection ended'))
    // Not by force while it is up: what was acknowledged must have left.
    await this.#client.endAsync(!this.#client.connected).catch(() => undefined)
  }

  /**
   * The library acknowledges each message as soon as it was handed on, one at a time. Made to take them for messages of
   * QoS 0 it leaves that to us: PUBACK is sent when the message is handled.
   */
  #takeOver(packet: Packet): void {
    if (packet.cmd !== 'publish') return
    this.#qos.set(packet, packet.qos)
    packet.qos = 0
  }

  #arrive(packet: IPublishPacket): void {
    if (this.#closed) return
    if (this.#inHand < this.#inHandMax) return this.#hand(packet)
    const hasRoom = this.#waiting.length < RECEIVE_MAX && this.#waitingBytes < WAITING_BYTES_MAX
    // What is to be acknowledged is at most what the broker may have in flight. QoS 0 has no such bound: there more may be lost.
    if (!hasRoom && this.#qos.get(packet) === 0) return
    this.#waiting.push(packet)
    this.#waitingBytes += packet.payload.length
  }

  #hand(packet: IPublishPacket): void {
    const qos = this.#qos.get(packet) ?? 0
    const { messageId } = packet
    this.#inHand++
    let told = false
    const once = (act: () => void) => {
      if (told) return
      told = true
      this.#inHand--
      if (!this.#closed) act()
      this.setInHandMax(this.#inHandMax)
    }
    this.#events.onDelivery({
      message: messageOf(packet),
      ack: () =>
        once(() => {
          if (qos === 0 || messageId === undefined) return
          sendPacket(this.#client, { cmd: 'puback', messageId })
        }),
      // Nothing can be given back in this protocol: it comes again with the next session.
      giveBack: () => once(() => undefined),
    })
  }

  #lost(reason: string): void {
    this.#ready.reject(new SourceError(reason))
    if (this.#closed || !this.#isUp) return
    void this.close()
    this.#events.onLost(reason)
  }
}

function sendPacket(client: MqttClient, packet: Packet): void {
  const { _sendPacket } = client as unknown as { _sendPacket(this: MqttClient, packet: Packet): void }
  _sendPacket.call(client, packet)
}

function messageOf({ topic, payload, properties, retain, dup }: IPublishPacket): QueueMessage {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(properties?.userProperties ?? {}))
    headers[name] = Array.isArray(value) ? value.join(', ') : value
  const facts: Record<string, string> = {}
  if (retain) facts['retained'] = 'true'
  if (dup) facts['redelivered'] = 'true'
  if (properties?.responseTopic !== undefined) facts['reply-to'] = properties.responseTopic
  if (properties?.correlationData) facts['correlation-id'] = properties.correlationData.toString('utf8')
  return {
    id: undefined,
    topic,
    key: headers['atelier-key'] ?? topic,
    data: typeof payload === 'string' ? Buffer.from(payload) : payload,
    contentType: properties?.contentType,
    headers,
    facts,
  }
}

function explain(thrown: unknown): string {
  if (thrown instanceof SourceError) return thrown.message
  const { code, message } = (thrown instanceof Error ? thrown : {}) as { code?: unknown; message?: string }
  const text = message ?? ''
  const encryption = tlsProblemOf(thrown)
  if (encryption !== undefined) return encryption
  if (code === 'ECONNREFUSED') return 'it refused the connection'
  if (code === 4 || code === 5 || code === 134 || code === 135) return 'the broker refused the login'
  if (UNSUPPORTED_VERSION.includes(code)) return 'the broker does not speak this version of the protocol'
  if (/timeout|connack/i.test(text)) return 'it did not answer in time'
  return 'the connection ended'
}
