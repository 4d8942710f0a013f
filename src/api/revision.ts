import type { FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError } from '../core/index.ts'

/**
 * Puts the tag on the answer and says whether the caller has this state already (If-None-Match): then the answer is 304
 * and has no body. (RFC 9110, 13.1.2)
 */
export function unchanged(request: FastifyRequest, reply: FastifyReply, tag: number | string): boolean {
  const etag = `"${tag}"`
  reply.header('etag', etag)
  const seen = request.headers['if-none-match']
  if (seen === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false
  const matches = seen.trim() === '*' || seen.split(',').some(one => one.trim().replace(/^W\//, '') === etag)
  if (matches) reply.code(304)
  return matches
}

/** The thing's view with its ETag, or nothing when the caller has it already. */
export function tagged<T>(
  call: { readonly request: FastifyRequest; readonly reply: FastifyReply },
  tag: number | string,
  view: T,
): T | undefined {
  return unchanged(call.request, call.reply, tag) ? undefined : view
}

/** The revision that a write expects (If-Match); `undefined` when it does not care. */
export function expectedRevision(request: FastifyRequest): number | undefined {
  const header = request.headers['if-match']?.trim()
  if (header === undefined || header === '*') return undefined
  const match = /^"(\d{1,15})"$/.exec(header)
  if (match) return Number(match[1])
  if (/^(W\/)?"[^"]*"$/.test(header))
    throw new AtelierError(
      'PRECONDITION_FAILED',
      `If-Match ${header} is not a revision of this thing; read it again for its ETag.`,
    )
  throw new AtelierError(
    'INVALID_INPUT',
    'If-Match takes one entity tag in double quotes, as the ETag of an answer shows it.',
    {
      errors: [{ pointer: 'if-match', detail: 'must be one entity tag' }],
    },
  )
}
