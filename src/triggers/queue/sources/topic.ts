import { AtelierError, type Clock } from '../../../core/index.ts'
import type { Message, Topic, Topics } from '../../../topics/index.ts'
import type { TriggerHost } from '../../kind.ts'
import type { QueueConfig } from '../config.ts'
import {
  type OutgoingMessage,
  type QueueMessage,
  type Session,
  type SessionEvents,
  type Source,
  SourceError,
} from '../source.ts'
import { Progress } from './partitions.ts'
import { PullLoop } from './pull-loop.ts'

const READ_MAX = 500
/** Looked for so often although nobody told of anything new: another node may have published. */
const LOOK_EVERY_MS = 1_000
const SAVE_EVERY_MS = 100

export type SeekTo = { readonly position: number } | { readonly at: number }

/** A subscription's memory: how far it is in which topic. A topic that is made anew under the name is another one. */
interface Saved {
  readonly topicId: string
  readonly position: number
  /** How often it was moved: what is read again must not be taken for what was delivered already. */
  readonly moves: number
}

type Host = Pick<TriggerHost, 'load' | 'save' | 'failed' | 'isLeader'> & { readonly clock: Clock }

/** A topic of the trigger's own project. Each trigger has its own position, saved when what is before it is handled. */
export class TopicSource implements Source {
  readonly #topics: Topics
  readonly #projectId: string
  readonly #config: QueueConfig
  readonly #host: Host
  #session: TopicSession | undefined

  constructor(topics: Topics, projectId: string, config: QueueConfig, host: Host) {
    this.#topics = topics
    this.#projectId = projectId
    this.#config = config
    this.#host = host
  }

  async open(events: SessionEvents): Promise<Session> {
    const topic = await this.#topic()
    const saved = await this.#begin(topic)
    this.#session = new TopicSession(this.#topics, topic, saved, this.#host, events)
    return this.#session
  }

  /** Reads on from there. What is in hand is handled all the same. Rejects with NOT_FOUND where there is no such topic. */
  async seek(to: SeekTo): Promise<void> {
    const topic = await this.#topics.get(this.#projectId, this.#config.topic!)
    const wanted = 'position' in to ? to.position : await this.#topics.positionAt(topic.id, to.at)
    if (!Number.isInteger(wanted) || wanted < 0)
      throw new AtelierError('INVALID_INPUT', 'position must be a whole number from 0.')
    const before = savedOf(await this.#host.load())
    const position = Math.min(wanted, topic.lastPosition)
    const moved = { topicId: topic.id, position, moves: (before?.moves ?? 0) + 1 }
    await this.#host.save(moved)
    this.#session?.moveTo(moved)
  }

  async #topic(): Promise<Topic> {
    try {
      return await this.#topics.get(this.#projectId, this.#config.topic!)
    } catch (thrown) {
      if (thrown instanceof AtelierError && thrown.code === 'NOT_FOUND')
        throw new SourceError(`there is no topic "${this.#config.topic}" in this project`, thrown)
      throw thrown
    }
  }

  async #begin(topic: Topic): Promise<Saved> {
    const saved = savedOf(await this.#host.load())
    if (saved?.topicId === topic.id) return this.#caughtUp(topic, saved)
    const position =
      this.#config.from === 'oldest' ? Math.max(0, topic.firstPosition - 1) : topic.lastPosition
    const begun = { topicId: topic.id, position, moves: saved?.moves ?? 0 }
    await this.#host.save(begun)
    return begun
  }

  #caughtUp(topic: Topic, saved: Saved): Saved {
    const missed = topic.firstPosition - 1 - saved.position
    if (missed <= 0) return saved
    this.#host.failed(
      new AtelierError(
        'GONE',
        `${missed} messages of "${topic.name}" were forgotten before they were read: its retention is too short.`,
      ),
    )
    return { ...saved, position: topic.firstPosition - 1 }
  }
}

class TopicSession implements Session {
  readonly #topics: Topics
  readonly #topic: Topic
  readonly #host: Host
  readonly #events: SessionEvents
  readonly #loop: PullLoop<Message>
  readonly #unsubscribe: () => void
  #progress = new Progress()
  #at: Saved
  /** Read so far; what is handled may lag behind. */
  #read: number
  #lag: number
  #wake: (() => void) | undefined
  #savingSoon: (() => void) | undefined
  #saving: Promise<void> = Promise.resolve()
  #closed = false

  constructor(topics: Topics, topic: Topic, saved: Saved, host: Host, events: SessionEvents) {
    this.#topics = topics
    this.#topic = topic
    this.#host = host
    this.#events = events
    this.#at = saved
    this.#read = saved.position
    this.#lag = Math.max(0, topic.lastPosition - saved.position)
    this.#unsubscribe = topics.onPublished(topicId => {
      if (topicId === topic.id) this.#wake?.()
    })
    this.#loop = new PullLoop<Message>({
      pull: room => this.#pull(Math.min(room, READ_MAX)),
      onMessage: message => this.#hand(message),
      onLeft: () => undefined, // its position was not passed
      onBroken: () => this.#lost('the store cannot be read now'),
    })
  }

  setInHandMax(count: number): void {
    this.#loop.setInHandMax(count)
  }

  async publish(target: string, { data, contentType, headers, key }: OutgoingMessage): Promise<void> {
    try {
      await this.#topics.publish(this.#topic.projectId, target, [
        { data, contentType, attributes: headers, ...(key !== undefined && { key }) },
      ])
    } catch (thrown) {
      throw new SourceError(thrown instanceof AtelierError ? thrown.message : 'the store refused it', thrown)
    }
  }

  lag(): number {
    return this.#lag
  }

  moveTo(saved: Saved): void {
    // Deliveries of before hold the old one: they move nothing any more.
    this.#progress = new Progress()
    this.#at = saved
    this.#read = saved.position
    this.#wake?.()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unsubscribe()
    this.#savingSoon?.()
    this.#loop.stop()
    this.#wake?.()
    await this.#loop.ended
    await this.#saving
    await this.#save()
  }

  async #pull(room: number): Promise<readonly Message[]> {
    if (!this.#host.isLeader()) {
      // Until it leads again, and is begun anew: meanwhile another node may read.
      await this.#somethingNew()
      return []
    }
    const from = this.#read
    const messages = await this.#topics.read(this.#topic.id, from, room)
    if (this.#read !== from) return [] // moved meanwhile
    const last = messages.at(-1)
    if (last) {
      this.#read = last.position
      return messages
    }
    this.#lag = 0
    await this.#somethingNew()
    if (!this.#closed) await this.#check()
    return []
  }

  #somethingNew(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    return new Promise(resolve => {
      const done = (): void => {
        cancel()
        this.#wake = undefined
        resolve()
      }
      const cancel = this.#host.clock.after(LOOK_EVERY_MS, done)
      this.#wake = done
    })
  }

  /** The topic may be gone, or be another one of the same name. */
  async #check(): Promise<void> {
    const topic = await this.#topics.get(this.#topic.projectId, this.#topic.name).catch(() => undefined)
    if (topic?.id !== this.#topic.id) return this.#lost(`the topic "${this.#topic.name}" was deleted`)
    this.#lag = Math.max(0, topic.lastPosition - this.#read)
  }

  #hand(message: Message): void {
    const progress = this.#progress
    const position = BigInt(message.position)
    progress.begin(position)
    const once = this.#loop.holding()
    this.#events.onDelivery({
      message: queueMessageOf(this.#topic, message, this.#at.moves),
      ack: () =>
        once(() => {
          progress.done(position)
          this.#saveSoon()
        }),
      giveBack: () => once(() => undefined),
    })
  }

  #saveSoon(): void {
    this.#savingSoon ??= this.#host.clock.after(SAVE_EVERY_MS, () => {
      this.#savingSoon = undefined
      this.#saving = this.#save()
    })
  }

  /** Everything up to the position is durable elsewhere, or done. */
  async #save(): Promise<void> {
    const progress = this.#progress
    const next = progress.toCommit()
    if (next === undefined || !this.#host.isLeader()) return
    const saved = { ...this.#at, position: Number(next) - 1 }
    try {
      await this.#host.save(saved)
      if (progress !== this.#progress) return
      progress.committed(next)
      this.#at = saved
    } catch (error) {
      this.#host.failed(error)
    }
  }

  #lost(reason: string): void {
    if (this.#closed) return
    void this.close()
    this.#events.onLost(reason)
  }
}

function savedOf(value: unknown): Saved | undefined {
  const { topicId, position, moves } = (value ?? {}) as Partial<Record<keyof Saved, unknown>>
  if (typeof topicId !== 'string' || typeof position !== 'number' || typeof moves !== 'number')
    return undefined
  return { topicId, position, moves }
}

function queueMessageOf(topic: Topic, message: Message, moves: number): QueueMessage {
  return {
    id: `${topic.id}/${moves}/${message.position}`,
    topic: topic.name,
    key: message.key,
    data: message.data,
    contentType: message.contentType,
    headers: message.attributes,
    facts: { position: String(message.position) },
    publishedAt: message.publishedAt,
    publishedId: message.id,
  }
}
