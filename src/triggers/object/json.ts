import { AtelierError } from '../../core/index.ts'

export type JsonRecord = Readonly<Record<string, unknown>>

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A member that is a record, or an empty one. */
export function recordAt(value: JsonRecord, name: string): JsonRecord {
  const member = value[name]
  return isRecord(member) ? member : {}
}

/** A member that is a text with something in it. */
export function textAt(value: JsonRecord, name: string): string | undefined {
  const member = value[name]
  return typeof member === 'string' && member !== '' ? member : undefined
}

/** A body read as JSON. INVALID_INPUT when it is none. */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new AtelierError('INVALID_INPUT', `${what} is not JSON.`, { cause })
  }
}
