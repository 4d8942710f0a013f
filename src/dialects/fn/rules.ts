/** What Fn takes for apps, functions and triggers, and what it says of the rest. Pure. */
import { FnError } from './answers.ts'

export type Texts = Readonly<Record<string, string>>
export type Annotations = Readonly<Record<string, unknown>>

export const MEMORY_MIB_DEFAULT = 128
export const TIMEOUT_S_DEFAULT = 30
export const IDLE_TIMEOUT_S_DEFAULT = 30

const APP_NAME = /^[0-9A-Za-z_-]+$/
const NAME_CHARACTERS_MAX = 255
const MEMORY_MIB_MAX = 8_192
const TIMEOUT_S_MAX = 300
const IDLE_TIMEOUT_S_MAX = 3_600
const ANNOTATIONS_MAX = 100
const ANNOTATION_KEY = /^[\x21-\x7e]{1,128}$/
const ANNOTATION_BYTES_MAX = 512
const SHAPES = ['', 'GENERIC_X86', 'GENERIC_ARM', 'GENERIC_X86_ARM']

export function checkAppName(name: string | undefined): string {
  if (!name) throw new FnError(400, 'Missing app name')
  if (name.length > NAME_CHARACTERS_MAX) throw new FnError(400, 'App name must be 255 characters or less')
  if (!APP_NAME.test(name)) throw new FnError(400, 'Invalid app name')
  return name
}

/** The name of a function or a trigger: nothing that an address would have to escape. */
export function checkUrlName(what: 'Fn' | 'Trigger', name: string | undefined): string {
  if (!name) throw new FnError(400, `Missing ${what} Name`)
  if (name.length > NAME_CHARACTERS_MAX) throw new FnError(400, `${what} name must be 255 characters or less`)
  if (!/^[0-9A-Za-z_.~-]+$/.test(name))
    throw new FnError(400, `${what} name must be a valid URL path segment`)
  return name
}

export function checkSource(source: string | undefined): string {
  if (!source) throw new FnError(400, 'Missing Trigger Source')
  if (!/^\/[\x21-\x7e]*$/.test(source) || /[?#]/.test(source) || source.length > NAME_CHARACTERS_MAX)
    throw new FnError(400, 'Trigger Source must begin with / and be the path of an address')
  return source
}

export function checkShape(shape: string): string {
  if (!SHAPES.includes(shape))
    throw new FnError(400, `Invalid architecture shape, supported values are: ${SHAPES.slice(1).join(', ')}`)
  return shape
}

/** Within Fn's bounds; what is 0 or not said is the default. */
export function checkLimits({
  memory,
  timeout,
  idle_timeout,
}: Record<'memory' | 'timeout' | 'idle_timeout', number>) {
  if (memory < 1 || memory > MEMORY_MIB_MAX)
    throw new FnError(400, `memory value is out of range. It should be between 0 and ${MEMORY_MIB_MAX}`)
  if (timeout < 1 || timeout > TIMEOUT_S_MAX)
    throw new FnError(400, `timeout value is out of range, must be between 0 and ${TIMEOUT_S_MAX}`)
  if (idle_timeout < 1 || idle_timeout > IDLE_TIMEOUT_S_MAX)
    throw new FnError(400, `idle_timeout value is out of range, must be between 0 and ${IDLE_TIMEOUT_S_MAX}`)
}

/** Merged; a key with an empty value goes. */
export function mergedConfig(before: Texts, change: Texts | undefined): Texts {
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ''))
}

/** Merged; a key with an empty text goes. Those that only the server says are left out. */
export function mergedAnnotations(before: Annotations, change: Annotations | undefined): Annotations {
  const merged: Record<string, unknown> = { ...before }
  for (const [key, value] of Object.entries(change ?? {})) {
    if (key.startsWith('fnproject.io/fn/') || key.startsWith('fnproject.io/trigger/')) continue
    if (!ANNOTATION_KEY.test(key))
      throw new FnError(
        400,
        'Invalid annotation key, annotation keys must be non-empty ascii strings of at most 128 bytes without spaces',
      )
    if (value === '') delete merged[key]
    else if (Buffer.byteLength(JSON.stringify(value)) > ANNOTATION_BYTES_MAX)
      throw new FnError(
        400,
        `Invalid annotation value, a value must be at most ${ANNOTATION_BYTES_MAX} bytes of JSON`,
      )
    else merged[key] = value
  }
  if (Object.keys(merged).length > ANNOTATIONS_MAX)
    throw new FnError(
      400,
      `Invalid annotation change, new key(s) exceed maximum permitted number of annotations keys (${ANNOTATIONS_MAX})`,
    )
  return merged
}

export function textIn(given: Readonly<Record<string, unknown>>, field: string): string | undefined {
  const value = given[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new FnError(400, 'Invalid JSON')
  return value
}

export function countIn(given: Readonly<Record<string, unknown>>, field: string): number | undefined {
  const value = given[field]
  if (value === undefined || value === null || value === 0) return undefined
  if (!Number.isSafeInteger(value)) throw new FnError(400, 'Invalid JSON')
  return value as number
}

export function configIn(given: Readonly<Record<string, unknown>>): Texts | undefined {
  const config = mapIn(given, 'config')
  for (const value of Object.values(config ?? {}))
    if (typeof value !== 'string') throw new FnError(400, 'Invalid JSON')
  return config as Texts | undefined
}

export function mapIn(given: Readonly<Record<string, unknown>>, field: string): Annotations | undefined {
  const value = given[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) throw new FnError(400, 'Invalid JSON')
  return value as Annotations
}
