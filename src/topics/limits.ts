/** What topics may hold. */
export interface TopicLimits {
  /** Topics of a project. @default 1,000 */
  readonly topicsMax: number
  /** Bytes that a project's topics keep together; more is STORAGE_FULL. @default 1 GiB */
  readonly bytesMax: number
  /** Messages that wait to be written, on this node; more is TOO_MANY_REQUESTS. @default 50,000 */
  readonly pendingMax: number
  /** … and their bytes. @default 64 MiB */
  readonly pendingBytesMax: number
}

export const TOPIC_LIMITS_DEFAULT: TopicLimits = {
  topicsMax: 1_000,
  bytesMax: 1024 ** 3,
  pendingMax: 50_000,
  pendingBytesMax: 64 * 1024 * 1024,
}
