import type { FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError, asAtelierError, nodeHttp } from '../core/index.ts'
import type { IdentityApiParts } from './parts.ts'
import { rootOf } from './root.ts'

// One sentence for every 401, so that none tells which part was wrong.
const UNAUTHORIZED = 'The request you have made requires authentication.'

/** Answers as Keystone does: `{"error": {"code", "message", "title"}}`. */
export async function sendError(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  parts: IdentityApiParts,
): Promise<void> {
  const error = ofFramework(thrown) ?? asAtelierError(thrown)
  if (error.fault === 'platform') {
    const cause = error.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : undefined
    const path = request.url.split('?', 1)[0]
    parts.log.error(
      { requestId: request.id, method: request.method, path, code: error.code, cause },
      error.message,
    )
  }
  const { status } = error
  if (status === 401) reply.header('www-authenticate', `Keystone uri="${rootOf(request, parts)}/v3"`)
  if (error.retryAfterS !== undefined) reply.header('retry-after', String(error.retryAfterS))
  const message = status === 401 ? UNAUTHORIZED : error.message
  await reply
    .code(status)
    .type('application/json')
    .send(
      JSON.stringify({
        error: { code: status, message, title: nodeHttp().STATUS_CODES[status] ?? error.title },
      }),
    )
}

/** Errors of the framework that are the caller's. */
function ofFramework(thrown: unknown): AtelierError | undefined {
  const { code } = thrown as { readonly code?: string }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new AtelierError('BODY_TOO_LARGE', 'The request is too large.')
  if (code === 'FST_ERR_CTP_INVALID_CONTENT_LENGTH')
    return new AtelierError('INVALID_INPUT', 'The body is not as long as its content-length says.')
  return undefined
}
