import type { FastifyReply, FastifyRequest } from 'fastify'
import { type AtelierError, asAtelierError } from '../core/index.ts'
import { fromFastify } from './input.ts'
import type { ApiLog } from './log.ts'

/** RFC 9457, with the code of the catalogue and the fields that are wrong. */
export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  /** The request that failed, to be found in the log. */
  readonly instance: string
  readonly code: string
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[]
  /** Seconds after which it is worth trying again. */
  readonly retryAfter?: number
}

export const PROBLEM_TYPE = 'application/problem+json'

/** The document for an error; nothing of its cause goes in. */
export function problemOf(error: AtelierError, requestId: string): ProblemDocument {
  return {
    type: `urn:atelier:problem:${error.code}`,
    title: error.title,
    status: error.status,
    detail: error.message,
    instance: `urn:atelier:request:${requestId}`,
    code: error.code,
    ...(error.errors && { errors: error.errors }),
    ...(error.retryAfterS !== undefined && { retryAfter: error.retryAfterS }),
  }
}

/** Any thrown value, a validation error of the framework included, as an error of the catalogue. */
export function explain(thrown: unknown): AtelierError {
  return fromFastify(thrown) ?? asAtelierError(thrown)
}

/** Answers with the problem, and logs what is our fault with its cause. */
export async function sendProblem(
  thrown: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: ApiLog,
): Promise<void> {
  const error = explain(thrown)
  logProblem(error, request, log)
  if (error.code === 'UNAUTHENTICATED') reply.header('www-authenticate', 'Bearer realm="atelier"')
  if (error.retryAfterS !== undefined) reply.header('retry-after', String(error.retryAfterS))
  await reply
    .code(error.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(problemOf(error, request.id)))
}

export function logProblem(error: AtelierError, request: FastifyRequest, log: ApiLog): void {
  if (error.fault !== 'platform') return
  const { cause } = error
  const fields = {
    requestId: request.id,
    method: request.method,
    path: request.url.split('?', 1)[0],
    code: error.code,
    // The stack is for our own log alone; bodies and headers are never logged, they hold secrets.
    cause:
      cause instanceof Error
        ? (cause.stack ?? cause.message)
        : cause === undefined
          ? undefined
          : typeof cause,
  }
  log.error(fields, error.message)
}
