/** Bodies and queries as Qinling reads them, and what it says of those that it does not take. */
import type { FastifyRequest } from 'fastify'
import { QinlingError } from './answers.ts'

export type Field =
  | { readonly kind: 'text'; readonly max: number }
  | { readonly kind: 'int'; readonly min?: number }
  | { readonly kind: 'bool' }
  | { readonly kind: 'uuid' }
  /** Taken, whatever it is, and not looked at. */
  | { readonly kind: 'ignored' }
  | { readonly kind: 'readOnly' }

/** `null` in a body is as if it was not there: clients send it all the time. */
type ValueOf<F extends Field> = F extends { kind: 'text' | 'uuid' }
  ? string
  : F extends { kind: 'int' }
    ? number
    : F extends { kind: 'bool' }
      ? boolean
      : never
export type Read<T extends Readonly<Record<string, Field>>> = { readonly [K in keyof T]?: ValueOf<T[K]> }

export const NAME: Field & { kind: 'text' } = { kind: 'text', max: 255 }
export const LONG: Field & { kind: 'text' } = { kind: 'text', max: 5 * 1024 * 1024 }
export const READ_ONLY: Field & { kind: 'readOnly' } = { kind: 'readOnly' }
export const IGNORED: Field & { kind: 'ignored' } = { kind: 'ignored' }

/** The JSON object in the body, which is called `argument` in messages, with the values of the fields that there are. */
export function attributesIn<T extends Readonly<Record<string, Field>>>(
  request: FastifyRequest,
  argument: string,
  fields: T,
): Read<T> {
  const given = objectIn(request, argument)
  const read: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(given)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field === undefined)
      throw new QinlingError(400, `Unknown attribute for argument ${argument}: ${shown(name)}`)
    if (field.kind === 'readOnly') throw invalid(name, value, 'Cannot set read only field.')
    if (value === null || field.kind === 'ignored') continue
    read[name] = valueOf(name, field, value)
  }
  return read as Read<T>
}

function objectIn(request: FastifyRequest, argument: string): Record<string, unknown> {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const type = mediaType(request)
  if (bytes.length === 0 && (type === 'application/json' || type === ''))
    throw new QinlingError(400, `Missing argument: "${argument}"`)
  if (type === 'application/x-www-form-urlencoded') {
    const [first = ''] = new URLSearchParams(bytes.toString()).keys()
    throw new QinlingError(
      400,
      bytes.length === 0 ? `Missing argument: "${argument}"` : `Unknown argument: "${shown(first)}"`,
    )
  }
  if (type !== 'application/json' && type !== '')
    throw new QinlingError(415, `Unknown mimetype: ${shown(type)}`)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    throw new QinlingError(400, 'Request is not in valid JSON format')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  throw new QinlingError(400, 'Request is not in valid JSON format')
}

export function mediaType(request: FastifyRequest): string {
  return request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

function valueOf(name: string, field: Field, value: unknown): unknown {
  switch (field.kind) {
    case 'text':
      if (typeof value !== 'string')
        throw invalid(
          name,
          value,
          `Wrong type. Expected '<class 'str'>', got '<class '${pythonType(value)}'>'`,
        )
      if (value.length > field.max)
        throw invalid(name, value, `Value should have a maximum character requirement of ${field.max}`)
      return value
    case 'uuid':
      return uuidIn(name, value)
    case 'int': {
      const number = typeof value === 'string' && /^\s*[+-]?\d{1,15}\s*$/.test(value) ? Number(value) : value
      if (typeof number !== 'number' || !Number.isSafeInteger(number))
        throw invalid(name, value, 'Unable to convert to integer.')
      if (field.min !== undefined && number < field.min)
        throw invalid(name, value, `Value should be greater or equal to ${field.min}`)
      return number
    }
    case 'bool': {
      const word = typeof value === 'string' ? value.trim().toLowerCase() : value
      if (TRUE.has(word)) return true
      if (FALSE.has(word)) return false
      throw invalid(name, value, 'Unable to convert to boolean.')
    }
    case 'ignored':
    case 'readOnly':
      return undefined
  }
}

const TRUE = new Set<unknown>([true, 1, 'true', '1', 'yes', 'y', 'on', 't'])
const FALSE = new Set<unknown>([false, 0, 'false', '0', 'no', 'n', 'off', 'f'])

/** A uuid in any of the forms that are known, in the usual one. */
export function uuidIn(name: string, value: unknown): string {
  const hex = (typeof value === 'string' ? value : '')
    .replace(/^urn:/, '')
    .replace(/^uuid:/, '')
    .replaceAll(/[{}-]/g, '')
    .toLowerCase()
  if (!/^[0-9a-f]{32}$/.test(hex))
    throw invalid(
      name,
      value,
      `unable to convert to uuid. Error: Expected a uuid but received ${shown(String(value))}.`,
    )
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')
}

export function invalid(name: string, value: unknown, why: string): QinlingError {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return new QinlingError(
    400,
    `Invalid input for field/attribute ${shown(name)}. Value: '${shown(text ?? '')}'. ${why}`,
  )
}

/** A word of the caller's, short enough for a message. */
export function shown(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function pythonType(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float'
  if (typeof value === 'boolean') return 'bool'
  return Array.isArray(value) ? 'list' : 'dict'
}

/** The query, in which only these names may be. */
export function queryOf(request: FastifyRequest, names: readonly string[]): Readonly<Record<string, string>> {
  const given = new URLSearchParams(request.url.split('?')[1] ?? '')
  const unknown = [...new Set(given.keys())].filter(name => !names.includes(name))
  if (unknown.length > 0) throw new QinlingError(400, `Unknown argument: "${shown(unknown.join(', '))}"`)
  return Object.fromEntries(given)
}

export function isTrue(text: string | undefined): boolean {
  return text !== undefined && TRUE.has(text.trim().toLowerCase())
}

/** Whether a value is what a filter asks for: `in:a,b`, `nin:`, `eq:`, `neq:`, `gt:`, `gte:`, `lt:`, `lte:`, `has:`, or the value itself. */
export function matches(filter: string | undefined, value: string | null): boolean {
  if (filter === undefined) return true
  const [, operator = 'eq', wanted = filter] = /^(in|nin|eq|neq|gt|gte|lt|lte|has):(.*)$/s.exec(filter) ?? []
  if (value === null) return false // as SQL has it: nothing is equal to it, nor different
  switch (operator) {
    case 'in':
      return wanted.split(',').includes(value)
    case 'nin':
      return !wanted.split(',').includes(value)
    case 'neq':
      return value !== wanted
    case 'gt':
      return value > wanted
    case 'gte':
      return value >= wanted
    case 'lt':
      return value < wanted
    case 'lte':
      return value <= wanted
    case 'has':
      return value.toLowerCase().includes(wanted.toLowerCase())
    default:
      return value === wanted
  }
}

/** The number of a version; 400 for what is none. */
export function versionIn(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw invalid('function_version', text, 'Unable to convert to integer.')
}
