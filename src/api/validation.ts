import { Ajv, type ValidateFunction } from 'ajv'
import type { FastifySchemaCompiler } from 'fastify'
import { isDateTime } from '../core/index.ts'

/**
 * Two validators: bodies are taken as they are (`"5"` is no number), query strings and paths, which are all text, are
 * converted. Unknown fields are refused, since a misspelt one that is ignored costs somebody an evening. A schema is
 * compiled when it is first needed: most of a server's operations are never called in its life.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const options = { allErrors: true, strict: false, validateFormats: true } as const
  const strict = new Ajv(options)
  const converting = new Ajv({ ...options, coerceTypes: 'array' })
  for (const ajv of [strict, converting]) ajv.addFormat('date-time', isDateTime)
  return ({ schema, httpPart }) => {
    const ajv = httpPart === 'body' ? strict : converting
    let compiled: ValidateFunction | undefined
    return (data: unknown) => {
      compiled ??= ajv.compile(schema)
      return compiled(data) ? { value: data } : { error: withFindings(compiled) }
    }
  }
}

const ERRORS_MAX = 20 // a body of a thousand wrong fields is not worth a thousand sentences

function withFindings(compiled: ValidateFunction): Error {
  return Object.assign(new Error('validation'), { validation: (compiled.errors ?? []).slice(0, ERRORS_MAX) })
}
