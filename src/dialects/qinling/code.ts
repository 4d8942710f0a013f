/** What Qinling takes for a function's code and limits, and what it says of the rest. */
import { QinlingError } from './answers.ts'
import type { Archive } from './forms.ts'
import type { Code } from './kept.ts'
import { shown } from './reading.ts'

const LIMITS = {
  cpu: { least: 100, most: 300, initial: 100, word: 'cpu', unit: 'millicpu' },
  memory_size: { least: 33_554_432, most: 134_217_728, initial: 33_554_432, word: 'memory', unit: 'bytes' },
  timeout: { least: 1, most: 300, initial: 5, word: 'timeout', unit: 'seconds' },
} as const

const ENTRY_MAX = 80
const NAME_MAX = 255

/** A limit of a function, or what it is when nothing is said. */
export function limitIn(
  fields: ReadonlyMap<string, string>,
  name: keyof typeof LIMITS,
  otherwise: number = LIMITS[name].initial,
): number {
  const text = fields.get(name)
  if (text === undefined) return otherwise
  const { least, most, word, unit } = LIMITS[name]
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text))
    throw new QinlingError(400, `Invalid ${word} resource specified. An integer is required.`)
  const value = Number(text)
  if (value < least || value > most)
    throw new QinlingError(
      400,
      `${word} resource limitation not within the allowable range: ${least} ~ ${most}(${unit}).`,
    )
  return value
}

/** A name, a description or an entry; 400 for one that is too long. */
export function wordIn(
  fields: ReadonlyMap<string, string>,
  name: 'name' | 'description' | 'entry',
): string | null {
  const text = fields.get(name)
  if (text === undefined) return null
  const most = name === 'entry' ? ENTRY_MAX : NAME_MAX
  if (text.length > most || text.includes('\0'))
    throw new QinlingError(
      400,
      `Invalid input for field/attribute ${name}. Value: '${shown(text)}'. Value should have a maximum character requirement of ${most}`,
    )
  return text
}

/** The object in the form's `code`; `undefined` when there is none. */
export function codeIn(fields: ReadonlyMap<string, string>): Readonly<Record<string, unknown>> | undefined {
  const text = fields.get('code')
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch {
    // Said below.
  }
  throw new QinlingError(400, `Invalid input, code must be a JSON object: '${shown(text)}'`)
}

export function sourceIn(code: Readonly<Record<string, unknown>>): Code['source'] {
  const source = code['source']
  if (source === 'package' || source === 'swift' || source === 'image') return source
  throw new QinlingError(400, 'Invalid code source specified, available sources: package, swift, image')
}

/** Checks the sum that a client gives for what it sends. */
export function checkSum(code: Readonly<Record<string, unknown>>, archive: Archive): void {
  const given = code['md5sum']
  if (given !== undefined && given !== null && given !== '' && given !== archive.md5)
    throw new QinlingError(400, 'Package md5 mismatch.')
}

/** Container and object, each where it is said. */
export function objectIn(code: Readonly<Record<string, unknown>>): { container?: string; object?: string } {
  const swift = code['swift']
  if (typeof swift !== 'object' || swift === null) return {}
  const { container, object } = swift as Record<string, unknown>
  return {
    ...(typeof container === 'string' && container !== '' && { container }),
    ...(typeof object === 'string' && object !== '' && { object }),
  }
}
