import type { createClient } from '@redis/client'
import type { GuardedNetwork } from '../../../core/index.ts'
import type { QueueConfig } from '../config.ts'
import { serversOf, tlsOf, tlsProblemOf } from '../network.ts'
import {
  type OutgoingMessage,
  type Session,
  type SessionEvents,
  type Source,
  SourceError,
} from '../source.ts'
import { PullLoop } from './pull-loop.ts'
import { messageOf, text } from './redis-entry.ts'

const CONNECT_TIMEOUT_MS = 10_000
const READ_MAX = 500
const BLOCK_MS = 2_000
/** An entry of a consumer that was not heard of for so long is taken over; `keep` puts that off. */
const CLAIM_IDLE_MS = 60_000
const CLAIM_EVERY_MS = 15_000
const LAG_EVERY_MS = 5_000

type Client = ReturnType<typeof createClient>
/** What an entry looks like on the wire: its id and its fields, name, value, …; null when it was trimmed away. */
type Entry = readonly [id: Buffer, fields: readonly Buffer[] | null]

/** Redis streams with a consumer group, made when it is not there. Entries of consumers that died are taken over. */
export function redisSource(
  config: QueueConfig,
  group: string,
  consumer: string,
  network: GuardedNetwork,
): Source {
  let next = 0
  return {
    async open(events) {
      const { createClient } = await import('@redis/client')
      const servers = serversOf('redis', config)
      const server = servers[next++ % servers.length]!
      const tls = tlsOf(config, server)
      const host = await network.resolve(server.host)
      const make = () => {
        const client = createClient({
          socket: {
            ...(tls && { ...tls, tls: true }),
            host,
            port: server.port,
            connectTimeout: CONNECT_TIMEOUT_MS,
            reconnectStrategy: false,
          },
          RESP: 2,
          disableOfflineQueue: true,
          name: `atelier-${group}`.replace(/[^\x21-\x7e]/g, '-'),
          database: server.path === '' ? 0 : Number(server.path),
          ...(config.username !== undefined && { username: config.username }),
          ...(config.password !== undefined && { password: config.password }),
        }) as unknown as Client
        client.on('error', () => undefined) // `end` and the commands tell
        return client
      }
      const [reading, writing] = [make(), make()]
      try {
        await Promise.all([reading.connect(), writing.connect()])
        await ensureGroup(writing, config, group)
        return new RedisSession({ reading, writing }, config, group, consumer, events)
      } catch (thrown) {
        for (const each of [reading, writing]) if (each.isOpen) each.destroy()
        throw new SourceError(explain(thrown), thrown)
      }
    },
  }
}

async function ensureGroup(client: Client, config: QueueConfig, group: string): Promise<void> {
  const from = config.from === 'oldest' ? '0' : '$'
  try {
    await client.sendCommand(['XGROUP', 'CREATE', config.stream!, group, from, 'MKSTREAM'])
  } catch (thrown) {
    if (!(thrown instanceof Error && thrown.message.startsWith('BUSYGROUP'))) throw thrown
  }
}

class RedisSession implements Session {
  readonly #reading: Client
  readonly #writing: Client
  readonly #stream: string
  readonly #field: string
  readonly #group: string
  readonly #consumer: string
  readonly #events: SessionEvents
  readonly #loop: PullLoop<Entry>
  readonly #lagTimer: NodeJS.Timeout
  readonly #held = new Set<string>()
  #acks: string[] = []
  #acking: Promise<void> | undefined
  /** Commands go in order: when the last one is answered, all are done. */
  #freeing: Promise<unknown> = Promise.resolve()
  /** Entries of this consumer that were handed out by an earlier session come first. */
  #own: string | undefined = '0'
  #claimedAt = 0
  #claimCursor = '0-0'
  #lag: number | undefined
  #closed = false

  constructor(
    clients: { readonly reading: Client; readonly writing: Client },
    config: QueueConfig,
    group: string,
    consumer: string,
    events: SessionEvents,
  ) {
    this.#reading = clients.reading
    this.#writing = clients.writing
    this.#stream = config.stream!
    this.#field = config.field ?? 'data'
    this.#group = group
    this.#consumer = consumer
    this.#events = events
    for (const client of [this.#reading, this.#writing])
      client.on('end', () => this.#lost('the server closed the connection'))
    this.#loop = new PullLoop({
      pull: room => this.#pull(Math.min(room, READ_MAX)),
      onMessage: entry => this.#hand(entry),
      onLeft: ([id]) => this.#free(text(id)),
      onBroken: error => this.#lost(explain(error)),
    })
    this.#lagTimer = setInterval(() => this.#askLag(), LAG_EVERY_MS)
    this.#lagTimer.unref()
  }

  setInHandMax(count: number): void {
    this.#loop.setInHandMax(count)
  }

  async publish(target: string, { data, contentType, headers, key }: OutgoingMessage): Promise<void> {
    const fields: (string | Buffer)[] = [this.#field, asBuffer(data), 'content-type', contentType]
    if (key !== undefined) fields.push('atelier-key', key)
    for (const [name, value] of Object.entries(headers)) if (name !== this.#field) fields.push(name, value)
    try {
      await this.#writing.sendCommand(['XADD', target, '*', ...fields])
    } catch (thrown) {
      throw new SourceError(`the stream "${target}" takes no entry`, thrown)
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
    // Ends a read that waits; what it may have brought already belongs to this consumer, and comes with the next session.
    if (this.#reading.isOpen) this.#reading.destroy()
    await this.#loop.ended
    while (this.#acking) await this.#acking
    await this.#freeing
    if (this.#writing.isOpen) this.#writing.destroy()
  }

  async #pull(count: number): Promise<readonly Entry[]> {
    const now = performance.now()
    if (this.#own !== undefined) {
      const entries = await this.#read(count, this.#own, false)
      const last = entries.at(-1)
      this.#own = last && text(last[0])
      if (!last) this.#claimedAt = now - CLAIM_EVERY_MS // then those of others
      return entries
    }
    if (now - this.#claimedAt >= CLAIM_EVERY_MS) {
      const claimed = await this.#claim(count)
      if (claimed.length > 0) return claimed
    }
    return this.#read(count, '>', true)
  }

  async #read(count: number, from: string, wait: boolean): Promise<readonly Entry[]> {
    const block = wait ? ['BLOCK', String(BLOCK_MS)] : []
    const reply = await this.#reading.sendCommand<readonly (readonly [unknown, readonly Entry[]])[] | null>(
      [
        'XREADGROUP',
        'GROUP',
        this.#group,
        this.#consumer,
        'COUNT',
        String(count),
        ...block,
        'STREAMS',
        this.#stream,
        from,
      ],
      BUFFERS,
    )
    return reply?.[0]?.[1] ?? []
  }

  async #claim(count: number): Promise<readonly Entry[]> {
    const reply = await this.#reading.sendCommand<readonly [Buffer, readonly Entry[]]>(
      [
        'XAUTOCLAIM',
        this.#stream,
        this.#group,
        this.#consumer,
        String(CLAIM_IDLE_MS),
        this.#claimCursor,
        'COUNT',
        String(count),
      ],
      BUFFERS,
    )
    this.#claimCursor = text(reply[0])
    if (this.#claimCursor === '0-0') this.#claimedAt = performance.now()
    return reply[1].filter(entry => entry !== null && !this.#held.has(text(entry[0])))
  }

  #hand([rawId, fields]: Entry): void {
    const id = text(rawId)
    const once = this.#loop.holding()
    if (fields === null || this.#held.has(id)) return once(() => fields === null && this.#ack(id)) // trimmed away
    this.#held.add(id)
    this.#events.onDelivery({
      message: messageOf(id, fields, this.#stream, this.#field),
      ack: () => once(() => this.#ack(id)),
      giveBack: () => once(() => this.#free(id)),
      keep: () => {
        void this.#writing
          .sendCommand(['XCLAIM', this.#stream, this.#group, this.#consumer, '0', id, 'JUSTID'])
          .catch(() => undefined)
      },
    })
  }

  /** Acknowledgements of one turn go together. */
  #ack(id: string): void {
    this.#held.delete(id)
    this.#acks.push(id)
    this.#acking ??= this.#sendAcks()
  }

  async #sendAcks(): Promise<void> {
    await new Promise(resolve => setImmediate(resolve))
    while (this.#acks.length > 0 && this.#writing.isReady) {
      const ids = this.#acks.splice(0, 1_000)
      await this.#writing.sendCommand(['XACK', this.#stream, this.#group, ...ids]).catch(() => undefined)
    }
    this.#acking = undefined
  }

  /** It stays with this consumer's name; made as old as can be, so that whoever asks first may take it over. */
  #free(id: string): void {
    this.#held.delete(id)
    const idle = ['IDLE', String(CLAIM_IDLE_MS * 10), 'JUSTID']
    this.#freeing = this.#writing
      .sendCommand(['XCLAIM', this.#stream, this.#group, this.#consumer, '0', id, ...idle])
      .catch(() => undefined)
  }

  #askLag(): void {
    this.#writing.sendCommand<readonly (readonly unknown[])[]>(['XINFO', 'GROUPS', this.#stream]).then(
      groups => {
        for (const fields of groups) {
          const value = (name: string) => fields[fields.indexOf(name) + 1]
          if (value('name') !== this.#group) continue
          const [lag, pending] = [fields.includes('lag') ? value('lag') : null, value('pending')]
          this.#lag = typeof lag === 'number' && typeof pending === 'number' ? lag + pending : undefined
        }
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

const BUFFERS = { typeMapping: { 36: Buffer, 43: Buffer } } as const // "$" and "+": strings as bytes

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

function explain(thrown: unknown): string {
  if (thrown instanceof SourceError) return thrown.message
  const { code, message } = (thrown instanceof Error ? thrown : {}) as { code?: unknown; message?: string }
  const words = message ?? ''
  if (/^(NOAUTH|WRONGPASS|NOPERM)/.test(words))
    return 'the server refused the login, or the right to read the stream'
  if (words.startsWith('WRONGTYPE')) return 'the key is no stream'
  if (words.startsWith('NOGROUP')) return 'the stream or its group was deleted'
  if (words.startsWith('LOADING')) return 'the server is still loading'
  const encryption = tlsProblemOf(thrown)
  if (encryption !== undefined) return encryption
  if (code === 'ECONNREFUSED') return 'it refused the connection'
  if (/timeout/i.test(words)) return 'it did not answer in time'
  return 'the connection ended'
}
