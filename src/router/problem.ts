import type { AtelierError } from '../core/index.ts'
import { MethodNotAllowed } from './resolve.ts'

/** An error as an answer: a small problem document (RFC 9457) that names the invocation. */
export interface Problem {
  readonly status: number
  readonly headers: string[]
  readonly body: Buffer
}

export function problemOf(error: AtelierError, invocationId: string): Problem {
  const body = Buffer.from(
    JSON.stringify({
      type: `urn:atelier:problem:${error.code}`,
      title: error.title,
      status: error.status,
      detail: error.message,
      code: error.code,
      instance: `urn:atelier:invocation:${invocationId}`,
    }),
  )
  const headers = ['content-type', 'application/problem+json', 'cache-control', 'no-store']
  if (error.retryAfterS !== undefined) headers.push('retry-after', String(Math.ceil(error.retryAfterS)))
  if (error.code === 'UNAUTHENTICATED') headers.push('www-authenticate', 'Bearer realm="atelier"')
  if (error instanceof MethodNotAllowed) headers.push('allow', error.allow.join(', '))
  headers.push(INVOCATION_FIELD, invocationId)
  return { status: error.status, headers, body }
}

/** On every answer: what to ask the logs for. */
export const INVOCATION_FIELD = 'atelier-invocation-id'
