import { AtelierError, type InputError } from '../core/index.ts'
import {
  datacontenttypeProblem,
  dataschemaProblem,
  sourceProblem,
  textProblem,
  timeProblem,
} from './values.ts'

/** An event by CloudEvents 1.0. What is held here is valid: it came from `createEvent` or from one of the parsers. */
export interface CloudEvent {
  readonly id: string
  /** URI reference of who tells it; with `id` it names the event. */
  readonly source: string
  readonly type: string
  readonly subject?: string
  /** RFC 3339, as it was written. */
  readonly time?: string
  readonly datacontenttype?: string
  readonly dataschema?: string
  /** Names of lower-case letters and digits. Look names up with `attributeOf`. */
  readonly extensions: Readonly<Record<string, AttributeValue>>
  /** The payload as it is sent in the binary mode. Absent: the event has none. */
  readonly data?: Uint8Array
}

/** Numbers are integers of 32 bits; other types of the specification are strings. */
export type AttributeValue = string | number | boolean

/** Attributes of one event, its extensions included. */
export const ATTRIBUTES_MAX = 64
/** Of one attribute's name; the specification recommends 20. */
export const NAME_LENGTH_MAX = 64
/** Of one attribute's value, in UTF-16 units. Longer ones fit into no header. */
export const VALUE_LENGTH_MAX = 8_192

/** Checks an event that is made here or comes from a function. Throws INVALID_INPUT and names each attribute. */
export function createEvent(input: CloudEvent): CloudEvent {
  const errors = eventErrors(input)
  if (errors.length > 0) throw invalidEvent(errors)
  return input
}

/** What the parsers put together: every attribute but `specversion` by its name, not checked yet. */
export type Attributes = ReadonlyMap<string, AttributeValue>

/** An event of attributes that came from outside. Throws INVALID_INPUT and names each attribute that is wrong. */
export function eventOf(attributes: Attributes, data: Uint8Array | undefined): CloudEvent {
  const errors: InputError[] = []
  const known: Record<string, string> = {}
  const extensions: Record<string, AttributeValue> = {}
  for (const [name, value] of attributes) {
    // Before anything is stored under it: `__proto__` is a name too.
    const problem = STANDARD.has(name) ? undefined : nameProblem(name)
    if (problem !== undefined) errors.push({ pointer: name.slice(0, NAME_LENGTH_MAX), detail: problem })
    else if (!STANDARD.has(name)) extensions[name] = value
    else if (typeof value === 'string') known[name] = value
    else errors.push({ pointer: name, detail: 'must be a string' })
  }
  const event = { id: '', source: '', type: '', ...known, extensions, ...(data && { data }) }
  if (errors.length === 0) errors.push(...eventErrors(event))
  if (errors.length > 0) throw invalidEvent(errors)
  return event
}

/** The value of an attribute or extension as text, `undefined` when the event has none of that name. */
export function attributeOf(event: CloudEvent, name: string): string | undefined {
  if (name === 'specversion') return SPEC_VERSION
  if (STANDARD.has(name)) return event[name as StandardName]
  return Object.hasOwn(event.extensions, name) ? String(event.extensions[name]) : undefined
}

/** Attributes that the event has, in the order in which they are written: name, value, …; without `specversion`. */
export function attributesOf(event: CloudEvent): [name: string, value: AttributeValue][] {
  const found: [string, AttributeValue][] = []
  for (const name of STANDARD_NAMES) {
    const value = event[name]
    if (value !== undefined) found.push([name, value])
  }
  for (const [name, value] of Object.entries(event.extensions)) found.push([name, value])
  return found
}

export const SPEC_VERSION = '1.0'

export function invalidEvent(errors: readonly InputError[]): AtelierError {
  const what = errors.map(({ pointer, detail }) => (pointer ? `${pointer} ${detail}` : detail)).join('; ')
  return new AtelierError('INVALID_INPUT', `This is not a CloudEvent of version 1.0: ${what}.`, { errors })
}

/** What a name of an extension must be like; `undefined` when it is right. */
export function nameProblem(name: string): string | undefined {
  if (!/^[a-z0-9]+$/.test(name)) return 'is not a name: attributes are named by lower-case letters and digits'
  if (name.length > NAME_LENGTH_MAX) return `has a name longer than ${NAME_LENGTH_MAX} characters`
  if (RESERVED.has(name)) return 'is not a name that an extension may have'
  return undefined
}

type StandardName = (typeof STANDARD_NAMES)[number]
const STANDARD_NAMES = ['id', 'source', 'type', 'subject', 'time', 'datacontenttype', 'dataschema'] as const
const STANDARD: ReadonlySet<string> = new Set(STANDARD_NAMES)
const RESERVED: ReadonlySet<string> = new Set([...STANDARD_NAMES, 'specversion', 'data'])

const RULES: Readonly<Record<StandardName, (value: string) => string | undefined>> = {
  id: textProblem,
  source: sourceProblem,
  type: textProblem,
  subject: textProblem,
  time: timeProblem,
  datacontenttype: datacontenttypeProblem,
  dataschema: dataschemaProblem,
}

function eventErrors(event: CloudEvent): InputError[] {
  const errors: InputError[] = []
  const tell = (pointer: string, detail: string | undefined): void => {
    if (detail !== undefined) errors.push({ pointer, detail })
  }
  const optional = (name: StandardName): boolean => name !== 'id' && name !== 'source' && name !== 'type'
  for (const name of STANDARD_NAMES) {
    const value = event[name]
    if (value === undefined && optional(name)) continue
    if (!value) tell(name, optional(name) ? 'must not be empty' : 'is missing or empty')
    else if (value.length > VALUE_LENGTH_MAX) tell(name, `is longer than ${VALUE_LENGTH_MAX} characters`)
    else tell(name, RULES[name](value))
  }
  const extensions = Object.entries(event.extensions)
  if (extensions.length > ATTRIBUTES_MAX)
    return [...errors, { pointer: '', detail: `it has more than ${ATTRIBUTES_MAX} extension attributes` }]
  for (const [name, value] of extensions) tell(name, nameProblem(name) ?? valueProblem(value))
  return errors
}

function valueProblem(value: AttributeValue): string | undefined {
  if (typeof value === 'boolean') return undefined
  if (typeof value === 'number')
    return (value | 0) === value ? undefined : 'must be an integer of 32 bits; write other numbers as strings'
  if (value.length > VALUE_LENGTH_MAX) return `is longer than ${VALUE_LENGTH_MAX} characters`
  return value === '' ? undefined : textProblem(value)
}
