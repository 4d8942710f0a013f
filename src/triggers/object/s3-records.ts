import { AtelierError } from '../../core/index.ts'
import type { ObjectConfig } from './config.ts'
import { idFrom, type ObjectHappening, sourceOf, type ToldEvent } from './event.ts'
import { isRecord, type JsonRecord, recordAt, textAt } from './json.ts'

const RECORDS_MAX = 1_000
const EVENT_NAMES_DEFAULT = ['ObjectCreated:*', 'ObjectRemoved:*']

export interface S3Events {
  readonly told: readonly ToldEvent[]
  /** Records of other event names. */
  readonly unwanted: number
}

/**
 * The events in a notification of S3's form, as MinIO and Ceph RGW send it: one for each record. INVALID_INPUT when one
 * of them has no bucket, key or event name: then none is taken. Pure.
 */
export function readS3Records(body: unknown, config: ObjectConfig, now: number): S3Events {
  const records = isRecord(body) ? body['Records'] : undefined
  if (!Array.isArray(records) || records.length > RECORDS_MAX)
    throw new AtelierError(
      'INVALID_INPUT',
      `The body must be a JSON object with at most ${RECORDS_MAX} "Records".`,
    )
  const read = records.map((record: unknown, index) =>
    readRecord(record, index, config.s3?.plainKeys === true, now),
  )
  const patterns = (config.s3?.eventNames ?? EVENT_NAMES_DEFAULT).map(withoutVendor)
  const told = read.filter(({ name }) => patterns.some(pattern => fits(pattern, name))).map(each => each.told)
  return { told, unwanted: read.length - told.length }
}

function readRecord(
  record: unknown,
  index: number,
  hasPlainKeys: boolean,
  now: number,
): { readonly name: string; readonly told: ToldEvent } {
  if (!isRecord(record)) throw invalid(index, 'is no object')
  const s3 = recordAt(record, 's3')
  const bucket = textAt(recordAt(s3, 'bucket'), 'name')
  const object = recordAt(s3, 'object')
  const rawKey = textAt(object, 'key')
  const eventName = textAt(record, 'eventName')
  if (bucket === undefined || rawKey === undefined || eventName === undefined)
    throw invalid(index, 'lacks its bucket, key or event name')
  const name = withoutVendor(eventName)
  const key = hasPlainKeys ? rawKey : decodeKey(rawKey)
  const time = Date.parse(textAt(record, 'eventTime') ?? '')
  const size = Number(object['size'] ?? Number.NaN) // Ceph has it as a text
  const etag = textAt(object, 'eTag')
  const contentType = textAt(object, 'contentType')
  return {
    name,
    told: {
      id: recordId(record, object, bucket, key, name),
      source: sourceOf('s3', bucket),
      happened: {
        event: happeningOf(name),
        container: bucket,
        object: key,
        timeMs: Number.isNaN(time) ? now : time,
        ...(Number.isFinite(size) && { sizeBytes: size }),
        ...(etag !== undefined && { etag }),
        ...(contentType !== undefined && { contentType }),
      },
      // As the sender has it, so that code written for such notifications runs as it is.
      original: { Records: [record] },
    },
  }
}

/** Told again, a record has the same request, object and sequencer. */
function recordId(record: JsonRecord, object: JsonRecord, bucket: string, key: string, name: string): string {
  const response = recordAt(record, 'responseElements')
  return idFrom(
    bucket,
    key,
    name,
    textAt(record, 'eventId') ?? '',
    textAt(response, 'x-amz-request-id') ?? '',
    textAt(object, 'sequencer') ?? '',
    textAt(object, 'versionId') ?? '',
    textAt(record, 'eventTime') ?? '',
  )
}

function happeningOf(name: string): ObjectHappening {
  if (name.startsWith('ObjectCreated:')) return 'written'
  if (name.startsWith('ObjectRemoved:')) return 'deleted'
  if (/^Object(Tagging|Acl)/.test(name)) return 'metadata'
  return 'other'
}

function withoutVendor(name: string): string {
  return name.replace(/^s3:/, '')
}

function fits(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}

/** Senders encode keys like a form: a blank is a plus sign. What is not encoded is taken as it is. */
function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return key
  }
}

function invalid(index: number, detail: string): AtelierError {
  return new AtelierError('INVALID_INPUT', 'This is no S3 event notification.', {
    errors: [{ pointer: `/Records/${index}`, detail }],
  })
}
