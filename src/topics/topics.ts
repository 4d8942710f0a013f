/**
 * Topics kept in the store: a log of messages for each, which subscriptions read at their own pace. A publication is
 * durable when it resolves. Messages are forgotten by age and by number.
 */
export interface Topics {
  create(projectId: string, input: { name: string; retention?: Partial<TopicRetention> }): Promise<Topic>
  /** NOT_FOUND when there is none in this project. */
  get(projectId: string, name: string): Promise<Topic>
  list(
    projectId: string,
    page: { limit?: number; cursor?: string },
  ): Promise<{ items: readonly Topic[]; next?: string }>
  update(projectId: string, name: string, change: { retention: Partial<TopicRetention> }): Promise<Topic>
  delete(projectId: string, name: string): Promise<void>
  /** All or none; resolves with their positions. Makes no topic: NOT_FOUND. */
  publish(projectId: string, topic: string, messages: readonly NewMessage[]): Promise<readonly number[]>
  /** At most `limit` messages after position `after`, oldest first. */
  read(topicId: string, after: number, limit: number): Promise<readonly Message[]>
  /** The position of the first message at or after `at` (epoch ms), minus one: where a replay begins. */
  positionAt(topicId: string, at: number): Promise<number>
  /** Told (on any node, soon) that there is more to read. */
  onPublished(listener: (topicId: string) => void): () => void
}

/** A topic of a project; `createdAt` is epoch ms. */
export interface Topic {
  readonly id: string
  readonly projectId: string
  readonly name: string
  readonly retention: TopicRetention
  /** Positions of what is kept: the oldest message and the newest; both 0 in a topic that never had one. */
  readonly firstPosition: number
  readonly lastPosition: number
  readonly createdAt: number
}

/** What is kept at the most: whichever comes first. */
export interface TopicRetention {
  readonly ageMs: number
  readonly messagesMax: number
  readonly bytesMax: number
}

/** A message to publish. */
export interface NewMessage {
  /** Given by the publisher, else made here. A second one with the same id within the retention is dropped. */
  readonly id?: string
  readonly key?: string
  readonly contentType: string
  /** Name, value: CloudEvents attributes (`ce-…`) and whatever the publisher wants to filter by. */
  readonly attributes: Readonly<Record<string, string>>
  readonly data: Uint8Array
}

/** A message as it is kept; `publishedAt` is epoch ms. */
export interface Message extends Required<Omit<NewMessage, 'key'>> {
  readonly key?: string
  readonly position: number
  readonly publishedAt: number
}
