import { createHash } from 'node:crypto'
import { attributeText } from '../../cloudevents/index.ts'
import type { TriggerEvent } from '../kind.ts'
import type { ObjectConfig } from './config.ts'

/** Where large objects keep their segments: the names that Swift's clients, and its S3 API, give such containers. */
const SEGMENT_CONTAINER = /(_segments|\+segments)$/

export type ObjectHappening = 'written' | 'deleted' | 'metadata' | 'copied' | 'other'

/** Something that happened to an object, whatever told of it. It is what the function gets, as JSON. */
export interface ObjectEvent {
  /** `written`: new, or replaced by other content. `metadata`: the content is as it was. */
  readonly event: ObjectHappening
  readonly container: string
  readonly object: string
  /** Epoch ms. */
  readonly timeMs: number
  readonly sizeBytes?: number
  readonly etag?: string
  readonly contentType?: string
  /** Keystone's ids of the account's project and of who did it, where the source tells. */
  readonly project?: string
  readonly user?: string
  /** For `poll`, when it remembers the objects. */
  readonly change?: 'new' | 'changed' | 'deleted'
}

export interface ToldEvent {
  /** Unique at the source, if it says so; told again, it is the same event. */
  readonly id: string
  /** CloudEvents source. */
  readonly source: string
  readonly happened: ObjectEvent
  /** Members in the source's own words, beside those of `happened`. */
  readonly original?: Readonly<Record<string, unknown>>
}

type Filter = Pick<ObjectConfig, 'container' | 'prefix' | 'suffix' | 'segments'>

/** Whether a trigger asks for it. Pure. */
export function isWanted(filter: Filter, { container, object }: ObjectEvent): boolean {
  if (filter.container !== undefined && filter.container !== container) return false
  if (filter.segments !== true && filter.container === undefined && SEGMENT_CONTAINER.test(container))
    return false
  return object.startsWith(filter.prefix ?? '') && object.endsWith(filter.suffix ?? '')
}

/** The event as the function will see it: what happened in our words, beside the source's own. */
export function toTriggerEvent({ id, source, happened, original }: ToldEvent): TriggerEvent {
  return {
    id,
    source,
    type: `atelier.object.${happened.event}`,
    subject: attributeText(`${happened.container}/${happened.object}`),
    time: happened.timeMs,
    contentType: 'application/json',
    data: Buffer.from(JSON.stringify({ ...original, ...happened })),
  }
}

/** A CloudEvents source from names that anybody may have chosen. */
export function sourceOf(scheme: 'swift' | 's3', name: string): string {
  return `${scheme}://${encodeURIComponent(name.toWellFormed())}`
}

/** An id of fixed length from what identifies an event at its source. */
export function idFrom(...parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 32)
}
