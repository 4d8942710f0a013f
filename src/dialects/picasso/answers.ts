import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError, asAtelierError } from '../../core/index.ts'
import type { CallAnswer } from '../calls.ts'
import type { DialectLog } from '../dialect.ts'
import { EngineError, isObject } from '../engine/index.ts'

export const JSON_TYPE = 'application/json; charset=utf-8'

/** Bodies come as bytes: what they must be is said after who asks was checked. */
export function takeBytes(server: FastifyInstance): void {
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

/** The body, which must be called JSON when there is one. */
export function bytesOf(request: Pick<FastifyRequest, 'headers'> & { readonly body?: unknown }): Buffer {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0) return Buffer.alloc(0)
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw new EngineError(400, 'Invalid content type')
  return request.body
}

/** The object in the body; with `wrapper`, also the one in `{"<wrapper>": {…}}`. */
export function objectIn(
  request: FastifyRequest,
  wrapper: string,
  mustWrap: boolean,
): Record<string, unknown> {
  let body: unknown
  try {
    body = JSON.parse(bytesOf(request).toString())
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw new EngineError(400, 'The body is not valid JSON.')
  }
  if (!isObject(body)) throw new EngineError(400, 'The body must be a JSON object.')
  const inner = body[wrapper]
  if (isObject(inner)) return inner
  if (mustWrap || inner !== undefined)
    throw new EngineError(400, `The body must hold an object "${wrapper}".`)
  return body
}

/** `{"error": {"message"}}`: everything that is refused or fails. */
export function errorAnswer(error: unknown, log: DialectLog): CallAnswer {
  const known = error instanceof EngineError ? error : fromFramework(error)
  if (known.status >= 500 && !(known.cause instanceof AtelierError && known.cause.fault !== 'platform'))
    log.error({ err: known.cause ?? known, invocationId: known.invocationId }, 'a Picasso request failed')
  const headers = ['content-type', JSON_TYPE]
  if (known.retryAfterS !== undefined) headers.push('retry-after', String(known.retryAfterS))
  if (known.invocationId !== undefined) headers.push('atelier-invocation-id', known.invocationId)
  const body = Buffer.from(JSON.stringify({ error: { message: known.message } }))
  return { status: known.status, headers, body }
}

/** The same by the framework. */
export function answerError(error: unknown, reply: FastifyReply, log: DialectLog): FastifyReply {
  const { status, headers, body } = errorAnswer(error, log)
  for (let i = 0; i < headers.length; i += 2) reply.header(headers[i]!, headers[i + 1]!)
  return reply.code(status).send(body)
}

/** As aiohttp answers what it has no route for. */
export function answerText(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).type('text/plain; charset=utf-8').send(`${status}: ${text}`)
}

function fromFramework(error: unknown): EngineError {
  if (!(error instanceof AtelierError) && error instanceof Error && 'statusCode' in error) {
    const status = Number(error.statusCode)
    if (status >= 400 && status < 500) return new EngineError(status, error.message)
  }
  const known = asAtelierError(error)
  return new EngineError(known.status, known.message, { retryAfterS: known.retryAfterS, cause: error })
}
