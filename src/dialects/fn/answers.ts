import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError, asAtelierError, type ErrorCode } from '../../core/index.ts'
import { CallFailure } from '../call.ts'
import type { DialectLog } from '../dialect.ts'

/** What Fn refuses, in its words. */
export class FnError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'FnError'
    this.status = status
  }
}

/** What Fn says of calls that fail. */
const CALL_FAILURES: Partial<Record<ErrorCode, { readonly status: number; readonly message: string }>> = {
  FUNCTION_FAILED: { status: 502, message: 'function failed' },
  FUNCTION_BAD_ANSWER: { status: 502, message: 'invalid function response' },
  FUNCTION_CRASHED: { status: 502, message: 'error receiving function response' },
  FUNCTION_OUT_OF_MEMORY: { status: 502, message: 'error receiving function response' },
  FUNCTION_LOAD_FAILED: {
    status: 502,
    message: 'Container failed to initialize, please ensure you are using the latest fdk and check the logs',
  },
  FUNCTION_TIMEOUT: { status: 504, message: 'Timed out' },
  TOO_MANY_REQUESTS: { status: 503, message: 'Timed out - server too busy' },
  CANCELLED: { status: 444, message: 'Client cancelled the request' },
}
const BUSY_RETRY_S = 15

/** Bodies come whole and unparsed, whatever their type says. */
export function takeBytes(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

export function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}

/** The JSON object in the body. */
export function objectIn(request: FastifyRequest): Record<string, unknown> {
  try {
    const body: unknown = JSON.parse(bodyOf(request).toString())
    if (typeof body === 'object' && body !== null && !Array.isArray(body))
      return body as Record<string, unknown>
  } catch {
    // Not JSON: said below.
  }
  throw new FnError(400, 'Invalid JSON')
}

/** `{"message"}`: everything that is refused or fails. */
export function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: DialectLog,
): FastifyReply {
  if (error instanceof FnError) return say(reply, error.status, error.message)
  if (error instanceof CallFailure) {
    reply.header('fn-call-id', error.invocationId)
    const known = CALL_FAILURES[error.code]
    if (error.code === 'TOO_MANY_REQUESTS')
      reply.header('retry-after', String(error.retryAfterS ?? BUSY_RETRY_S))
    if (known) return say(reply, known.status, known.message)
  }
  if (!(error instanceof AtelierError) && error instanceof Error && 'statusCode' in error) {
    const status = Number(error.statusCode)
    if (status === 413) return say(reply, 413, 'Request content too large')
    if (status >= 400 && status < 500) return say(reply, status, error.message)
  }
  const known = asAtelierError(error)
  if (known.fault === 'platform') log.error({ err: known, requestId: request.id }, 'an Fn request failed')
  if (known.retryAfterS !== undefined) reply.header('retry-after', String(known.retryAfterS))
  return say(reply, known.status, known.message)
}

function say(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.code(status).type('application/json; charset=utf-8').send({ message })
}
