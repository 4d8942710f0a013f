/**
 * The error catalogue: every failure that Atelier can explain has a code, a status, and a party at fault.
 *
 * - `caller`: the request was wrong (4xx); never logged above info.
 * - `function`: the tenant's code crashed, timed out or answered badly; recorded with the invocation.
 * - `platform`: we, or something we depend on, failed (5xx); logged with its cause and counted.
 *
 * An error carries the status; the body belongs to whoever renders it (our API: RFC 9457; dialects: their own).
 * Messages name the thing and the way out. Nothing of a library's message or a stack trace goes into one.
 */
export type Fault = 'caller' | 'function' | 'platform'

interface Entry {
  readonly status: number
  readonly fault: Fault
  readonly title: string
}

const catalogue = {
  // the caller's
  INVALID_INPUT: { status: 400, fault: 'caller', title: 'The request is not valid' },
  UNAUTHENTICATED: { status: 401, fault: 'caller', title: 'Authentication is required' },
  FORBIDDEN: { status: 403, fault: 'caller', title: 'This is not allowed' },
  NOT_FOUND: { status: 404, fault: 'caller', title: 'There is no such thing' },
  METHOD_NOT_ALLOWED: { status: 405, fault: 'caller', title: 'The method is not allowed here' },
  REQUEST_TIMEOUT: { status: 408, fault: 'caller', title: 'The request did not arrive in time' },
  CONFLICT: { status: 409, fault: 'caller', title: 'This is in conflict with what exists' },
  GONE: { status: 410, fault: 'caller', title: 'This is no longer kept' },
  PRECONDITION_FAILED: { status: 412, fault: 'caller', title: 'The thing has changed since it was read' },
  BODY_TOO_LARGE: { status: 413, fault: 'caller', title: 'The body is too large' },
  URI_TOO_LONG: { status: 414, fault: 'caller', title: 'The address is too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, fault: 'caller', title: 'This media type is not understood' },
  EXPECTATION_FAILED: { status: 417, fault: 'caller', title: 'The expectation cannot be met' },
  BUILD_FAILED: { status: 422, fault: 'caller', title: 'The build failed' },
  PACKAGE_INVALID: { status: 422, fault: 'caller', title: 'The package cannot be used' },
  QUOTA_EXCEEDED: { status: 403, fault: 'caller', title: 'A quota is used up' },
  TOO_MANY_REQUESTS: { status: 429, fault: 'caller', title: 'Too many calls are waiting' },
  HEADERS_TOO_LARGE: { status: 431, fault: 'caller', title: 'The header fields are too large' },
  CANCELLED: { status: 499, fault: 'caller', title: 'The caller left' },
  NOT_IMPLEMENTED: { status: 501, fault: 'caller', title: 'This is not spoken here' },
  HTTP_VERSION_UNSUPPORTED: {
    status: 505,
    fault: 'caller',
    title: 'This version of HTTP is not spoken here',
  },
  // the function's
  FUNCTION_FAILED: { status: 500, fault: 'function', title: 'The function failed' },
  FUNCTION_LOAD_FAILED: { status: 500, fault: 'function', title: 'The function could not be loaded' },
  FUNCTION_CRASHED: { status: 502, fault: 'function', title: 'The function ended without an answer' },
  FUNCTION_OUT_OF_MEMORY: {
    status: 502,
    fault: 'function',
    title: 'The function used more memory than it may',
  },
  FUNCTION_BAD_ANSWER: {
    status: 502,
    fault: 'function',
    title: 'The function gave an answer that cannot be sent',
  },
  FUNCTION_TIMEOUT: { status: 504, fault: 'function', title: 'The function did not answer in time' },
  // ours
  INTERNAL: { status: 500, fault: 'platform', title: 'Something went wrong on our side' },
  BACKEND_FAILED: { status: 503, fault: 'platform', title: 'No instance could be started' },
  UNAVAILABLE: { status: 503, fault: 'platform', title: 'The service cannot answer now' },
  STORAGE_FULL: { status: 507, fault: 'platform', title: 'There is no space left' },
} as const satisfies Record<string, Entry>

/** The names of all errors that a caller may see. */
export type ErrorCode = keyof typeof catalogue

/** One thing that is wrong with an input: where (a JSON pointer or a name) and what. */
export interface InputError {
  readonly pointer: string
  readonly detail: string
}

/** What an error carries beside its message. */
export interface ErrorOptions {
  readonly cause?: unknown
  /** For INVALID_INPUT: each field that is wrong. */
  readonly errors?: readonly InputError[]
  /** For 429 and 503: when to come back, in seconds. */
  readonly retryAfterS?: number
}

/** A failure from the catalogue. `message` is for people and safe to send to the caller. */
export class AtelierError extends Error {
  readonly code: ErrorCode
  readonly errors: readonly InputError[] | undefined
  readonly retryAfterS: number | undefined

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AtelierError'
    this.code = code
    this.errors = options.errors
    this.retryAfterS = options.retryAfterS
  }

  get status(): number {
    return catalogue[this.code].status
  }

  get fault(): Fault {
    return catalogue[this.code].fault
  }

  get title(): string {
    return catalogue[this.code].title
  }
}

/** INVALID_INPUT about one field; `detail` says of it what is wrong, as `must be text`. */
export function invalidField(pointer: string, detail: string): AtelierError {
  return new AtelierError('INVALID_INPUT', `${pointer} ${detail}.`, { errors: [{ pointer, detail }] })
}

/** NOT_FOUND about a thing that was named. */
export function noSuch(kind: string, name: string | number): AtelierError {
  const text = String(name)
  const shown = JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
  return new AtelierError('NOT_FOUND', `There is no ${kind} ${shown}.`)
}

/** Any thrown value as a catalogue error; what is not ours becomes INTERNAL with the original as its cause. */
export function asAtelierError(thrown: unknown): AtelierError {
  if (thrown instanceof AtelierError) return thrown
  return new AtelierError('INTERNAL', 'Something went wrong on our side; the log has the details.', {
    cause: thrown,
  })
}
