import type { ErrorObject } from 'ajv'
import { AtelierError, type ErrorCode, type InputError, sentenceOfFinding } from '../core/index.ts'

/** What Fastify throws: its own errors have a code, validation errors carry Ajv's findings. */
interface FastifyThrown {
  readonly code?: string
  readonly statusCode?: number
  readonly validation?: readonly ErrorObject[]
  readonly validationContext?: string
}

/** An error of the framework in our own words; `undefined` when it is not one. */
export function fromFastify(thrown: unknown): AtelierError | undefined {
  if (!(thrown instanceof Error) || thrown instanceof AtelierError) return undefined
  const error = thrown as Error & FastifyThrown
  if (error.validation) return invalid(error.validation.map(one => inputError(one, error.validationContext)))
  const known = error.code === undefined ? undefined : KNOWN[error.code]
  if (known) return new AtelierError(known.code, known.detail)
  if (error instanceof SyntaxError && error.statusCode === 400)
    return new AtelierError('INVALID_INPUT', 'The body is not valid JSON.')
  return undefined
}

const KNOWN: Record<string, { readonly code: ErrorCode; readonly detail: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'BODY_TOO_LARGE',
    detail: 'The body is larger than this operation takes.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'This operation takes "content-type: application/json".',
  },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'INVALID_INPUT', detail: 'The body is not valid JSON.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: {
    code: 'INVALID_INPUT',
    detail: 'The body is empty, though its type says JSON.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'INVALID_INPUT',
    detail: 'The body is not as long as its content-length says.',
  },
  FST_INVALID_MULTIPART_CONTENT_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'This operation takes "content-type: multipart/form-data".',
  },
  FST_MULTIPART_PREMATURE_CLOSE: { code: 'INVALID_INPUT', detail: 'The multipart body ends in the middle.' },
  FST_INVALID_JSON_FIELD_ERROR: { code: 'INVALID_INPUT', detail: 'The part "settings" is not valid JSON.' },
  FST_PARTS_LIMIT: { code: 'INVALID_INPUT', detail: 'The multipart body has too many parts.' },
  FST_FILES_LIMIT: { code: 'INVALID_INPUT', detail: 'The multipart body has more than one file.' },
  FST_FIELDS_LIMIT: { code: 'INVALID_INPUT', detail: 'The multipart body has too many fields.' },
  FST_PROTO_VIOLATION: {
    code: 'INVALID_INPUT',
    detail: 'A part of the body has a name that is not allowed.',
  },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'NOT_FOUND', detail: 'No name is as long as one in this path.' },
  FST_ERR_BAD_URL: { code: 'INVALID_INPUT', detail: 'The path of the request cannot be decoded.' },
}

/** INVALID_INPUT with each field and what is wrong with it. */
export function invalid(errors: readonly InputError[]): AtelierError {
  const list = errors.map(each => `${each.pointer || 'the body'} ${each.detail}`).join('; ')
  return new AtelierError('INVALID_INPUT', `The request is not valid: ${list}.`, { errors })
}

/** A finding of Ajv in our words: a JSON pointer for bodies, the plain name for query and path. */
export function inputError(finding: ErrorObject, context: string | undefined): InputError {
  const { pointer, detail } = sentenceOfFinding(finding)
  return { pointer: context === undefined || context === 'body' ? pointer : pointer.slice(1), detail }
}
