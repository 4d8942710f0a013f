import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError, asAtelierError, withoutTail } from '../../core/index.ts'
import type { DialectLog } from '../dialect.ts'
import { EngineError, invalid, isObject } from '../engine/index.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** Bodies come whole and unparsed, whatever their type says; answers are JSON with a line end. */
export function speakJson(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  server.setReplySerializer(payload => `${JSON.stringify(payload)}\n`)
}

/** The body of a call, empty when there is none. */
export function bodyOf(request: FastifyRequest): Buffer {
  return Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
}

/** The object in `{"<name>": {…}}`. Throws 400 `Invalid JSON`, or `missing` when it is not there. */
export function readObject(request: FastifyRequest, name: string, missing: string): Record<string, unknown> {
  let body: unknown
  try {
    body = JSON.parse(bodyOf(request).toString())
  } catch {
    throw invalid()
  }
  if (!isObject(body)) throw invalid()
  const found = body[name]
  if (found === undefined || found === null) throw new EngineError(400, missing)
  if (!isObject(found)) throw invalid()
  return found
}

/** `{"error": {"message"}}`, with the call's id where there was one. */
export function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: DialectLog,
): FastifyReply {
  const known = error instanceof EngineError ? error : fromFramework(error)
  if (known.status >= 500 && !(known.cause instanceof AtelierError && known.cause.fault !== 'platform'))
    log.error({ err: known.cause ?? known, requestId: request.id }, 'an IronFunctions request failed')
  reply.headers(known.headers)
  if (known.retryAfterS !== undefined) reply.header('retry-after', String(known.retryAfterS))
  return reply
    .code(known.status)
    .type(JSON_TYPE)
    .send({
      ...(known.invocationId !== undefined && { request_id: known.invocationId }),
      error: known.isBare ? known.message : { message: known.message },
    })
}

/** `/a/b/` without its last slashes. */
export function trimSlash(path: string): string {
  return withoutTail(path, '/') || '/'
}

/** A request that the HTTP framework refuses carries a status; anything else is ours. */
function fromFramework(error: unknown): EngineError {
  if (!(error instanceof AtelierError) && error instanceof Error && 'statusCode' in error) {
    const status = Number(error.statusCode)
    if (status >= 400 && status < 500) return new EngineError(status, error.message)
  }
  const known = asAtelierError(error)
  return new EngineError(known.status, known.message, { retryAfterS: known.retryAfterS, cause: error })
}
