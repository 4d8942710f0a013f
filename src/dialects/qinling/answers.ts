import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError, asAtelierError } from '../../core/index.ts'
import type { DialectLog } from '../dialect.ts'

/** What Qinling refuses, in its words. */
export class QinlingError extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: number,
    message: string,
    options: { readonly cause?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'QinlingError'
    this.status = status
    this.headers = options.headers ?? {}
  }
}

export const NOT_ALLOWED = 'Operation not allowed'

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  503: 'Service Unavailable',
}

/** Everything that is refused or fails: the keys of all three shapes that Qinling's parts answer with, in one object. */
export function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  log: DialectLog,
): FastifyReply {
  const known = error instanceof QinlingError ? error : translated(error)
  if (known.status >= 500)
    log.error({ err: known.cause ?? known, requestId: request.id }, 'a Qinling request failed')
  return reply
    .code(known.status)
    .headers({ ...known.headers })
    .type('application/json')
    .send({
      faultcode: known.status < 500 ? 'Client' : 'Server',
      faultstring: known.message,
      debuginfo: null,
      code: known.status,
      title: TITLES[known.status] ?? 'Internal Server Error',
      description: known.message,
    })
}

/** 405 with `Allow` for the paths of ours, 404 for all others. */
export function answerUnknown(server: FastifyInstance): void {
  const methods = new Map<RegExp, Set<string>>()
  const patterns = new Map<string, RegExp>()
  server.addHook('onRoute', ({ url, method }) => {
    const pattern = patterns.get(url) ?? new RegExp(`^${url.replaceAll(/:[^/]+/g, '[^/]+')}$`)
    patterns.set(url, pattern)
    const known = methods.get(pattern) ?? new Set()
    for (const each of [method].flat()) known.add(each)
    methods.set(pattern, known)
  })
  server.setNotFoundHandler(async (request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const here = [...methods].find(([pattern]) => pattern.test(path))
    if (here === undefined) throw new QinlingError(404, 'The resource could not be found.')
    const allow = [...here[1]].sort().join(', ')
    if (request.method === 'OPTIONS') return reply.code(200).header('allow', allow).send()
    throw new QinlingError(405, `The method ${request.method} is not allowed for this resource.`, {
      headers: { allow },
    })
  })
}

function translated(error: unknown): QinlingError {
  if (!(error instanceof AtelierError) && error instanceof Error && 'statusCode' in error) {
    const status = Number(error.statusCode)
    if (status >= 400 && status < 500) return new QinlingError(status, error.message)
  }
  const known = asAtelierError(error)
  const retry = known.retryAfterS === undefined ? {} : { 'retry-after': String(known.retryAfterS) }
  if (known.code === 'FORBIDDEN') return new QinlingError(403, NOT_ALLOWED)
  // A package that cannot be used is 422 to us; no client of Qinling knows that.
  const status = known.status === 422 ? 400 : known.status
  return new QinlingError(status, known.message, { cause: known, headers: retry })
}
