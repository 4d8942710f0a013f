import type { InputError } from './errors.ts'

/** What a validator of JSON Schema (Ajv) says of one field. */
export interface SchemaFinding {
  readonly keyword: string
  /** JSON pointer of the field, or of the object that lacks it. */
  readonly instancePath: string
  readonly params: Readonly<Record<string, unknown>>
}

/** A finding in our words, with the JSON pointer of the field that it is about. */
export function sentenceOfFinding({ keyword, instancePath, params }: SchemaFinding): InputError {
  const field =
    keyword === 'required'
      ? params['missingProperty']
      : keyword === 'additionalProperties'
        ? params['additionalProperty']
        : undefined
  const pointer = field === undefined ? instancePath : `${instancePath}/${escapePointer(String(field))}`
  return { pointer, detail: detailOf(keyword, params) }
}

const DATE_TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/

/** RFC 3339, and the plain day, which stands for its beginning in UTC. */
export function isDateTime(text: string): boolean {
  return DATE_TIME.test(text) && !Number.isNaN(Date.parse(text))
}

function detailOf(keyword: string, params: SchemaFinding['params']): string {
  switch (keyword) {
    case 'required':
      return 'is missing'
    case 'additionalProperties':
      return 'is not known here'
    case 'type':
      return `must be of type ${String(params['type'])}`
    case 'enum':
      return `must be one of ${(params['allowedValues'] as unknown[]).map(value => JSON.stringify(value)).join(', ')}`
    case 'const':
      return `must be ${JSON.stringify(params['allowedValue'])}`
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return `must be ${String(params['comparison'])} ${String(params['limit'])}`
    case 'minLength':
      return `must have at least ${String(params['limit'])} characters`
    case 'maxLength':
      return `must have at most ${String(params['limit'])} characters`
    case 'minItems':
      return `must have at least ${String(params['limit'])} items`
    case 'maxItems':
    case 'maxProperties':
      return `must have at most ${String(params['limit'])} entries`
    case 'format':
      return `must be a ${String(params['format'])}`
    default:
      return 'does not have the right form'
  }
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
