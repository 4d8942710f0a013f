import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import {
  ACCEPTED_FIELDS,
  acceptedBody,
  prefersAsync,
  readAsyncOptions,
  takeAsyncMark,
} from '../../async/index.ts'
import {
  AtelierError,
  BODY_BYTES_BUFFERED_MAX,
  canonicalPath,
  requestHeaders,
  type TableFunction,
} from '../../core/index.ts'
import { CallAnswer } from '../call-answer.ts'
import { functionNamed } from '../function-named.ts'
import { need } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { AcceptedSchema } from '../schemas/async.ts'
import { FunctionParams } from '../schemas/inputs.ts'
import { ref } from '../schemas/model.ts'
import { problemResponses } from '../schemas/problem.ts'

const METHODS = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const
const UNDOCUMENTED: readonly string[] = ['OPTIONS', 'HEAD'] // they work, and say nothing new

const SCHEMA = {
  tags: ['calls'],
  summary: 'Call a function',
  description:
    'The body is passed through; the function’s status, headers and body come back. What follows `/invoke` is the path that the function sees. `?qualifier=` names an alias or a version number; the rest of the query is the function’s. The caller’s token and cookies do not reach the function, and its cookies do not reach the caller: on the router they do. With `Prefer: respond-async` (or `?async=1`) the answer is 202 as soon as the call is durable; `Atelier-Delay` or `Atelier-Run-At`, `Atelier-Ordering-Key`, `Atelier-Max-Age`, `Atelier-Attempts` and `Idempotency-Key` say more.',
  params: FunctionParams,
  response: {
    202: ref(AcceptedSchema, 'Accepted as an asynchronous call.'),
    default: { description: 'The function’s own answer.' },
    ...problemResponses([
      'NOT_FOUND',
      'FORBIDDEN',
      'UNAUTHENTICATED',
      'TOO_MANY_REQUESTS',
      'FUNCTION_FAILED',
      'FUNCTION_CRASHED',
      'FUNCTION_TIMEOUT',
      'BACKEND_FAILED',
    ]),
  },
  security: [{ bearer: [] }, { authToken: [] }],
}

/**
 * `…/invoke`: the request as it comes goes to the function, the function's answer comes back; both stream. The
 * caller's token stays here: the code that is called belongs to somebody else.
 */
export function invokeRoutes(
  server: FastifyInstance,
  { invoker, async, asyncUrl, table, clock }: ApiParts,
): void {
  // In a scope of its own, in which bodies are not parsed.
  server.register(async scope => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null))
    for (const url of ['/apps/:app/functions/:function/invoke', '/apps/:app/functions/:function/invoke/*'])
      for (const method of METHODS)
        scope.route({
          method,
          url,
          exposeHeadRoute: false,
          schema: {
            ...SCHEMA,
            operationId: idOf(method),
            hide: url.endsWith('*') || UNDOCUMENTED.includes(method),
          },
          config: { idempotent: true },
          handler: (request, reply) => call(request, reply),
        })
  })

  async function call(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const by = request.principal
    if (!by) throw new AtelierError('UNAUTHENTICATED', 'This operation needs a token.')
    need(by, 'invoke')
    const params = request.params as { app: string; function: string }
    const target = functionNamed(table, by, params.app, params.function)
    const { path, qualifier, isAsync } = addressOf(request)
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
    if (isAsync) return defer(request, reply, { target, path, qualifier, hasBody })
    const answer = new CallAnswer(request, reply)
    const handle = invoker.invoke(
      {
        target,
        qualifier,
        trigger: 'invoke',
        method: request.method,
        path,
        headers: requestHeaders(request.raw.rawHeaders),
        body: hasBody ? undefined : null,
        ...traceOf(request),
      },
      answer.sink,
    )
    return answer.deliver(handle, hasBody)
  }

  /** Leaves the call to the queue and says where to ask for it. */
  async function defer(
    request: FastifyRequest,
    reply: FastifyReply,
    call: {
      readonly target: TableFunction
      readonly path: string
      readonly qualifier: string | undefined
      readonly hasBody: boolean
    },
  ): Promise<FastifyReply> {
    const options = readAsyncOptions(name => single(request.headers[name]), clock.now())
    const [accepted] = await async.accept([
      {
        projectId: call.target.projectId,
        functionId: call.target.id,
        qualifier: call.qualifier,
        trigger: 'invoke',
        method: request.method,
        path: call.path,
        headers: withoutPrefer(requestHeaders(request.raw.rawHeaders)),
        body: call.hasBody ? await wholeBody(request.raw) : null,
        ...traceOf(request),
        ...options,
      },
    ])
    const url = asyncUrl(accepted!.id)
    for (let i = 0; i < ACCEPTED_FIELDS.length; i += 2)
      reply.header(ACCEPTED_FIELDS[i]!, ACCEPTED_FIELDS[i + 1]!)
    reply.header('location', url).header('atelier-invocation-id', accepted!.id)
    return reply.code(202).send(acceptedBody(accepted!, url))
  }
}

/** A body that is kept whole. Rejects with BODY_TOO_LARGE as soon as it is. */
async function wholeBody(raw: Readable): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of raw as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_BUFFERED_MAX)
      throw new AtelierError(
        'BODY_TOO_LARGE',
        `The body of an asynchronous call may have at most ${BODY_BYTES_BUFFERED_MAX} bytes.`,
      )
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

function withoutPrefer(headers: readonly string[]): string[] {
  return headers.filter((_, i) => headers[i & ~1] !== 'prefer')
}

/** The path and query that the function sees, and which of its versions is meant. */
function addressOf(request: FastifyRequest): {
  path: string
  qualifier: string | undefined
  isAsync: boolean
} {
  const at = request.url.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1))
  const qualifier = query.get('qualifier') ?? undefined
  // The query is passed on as it was written; only our own parameter is taken out.
  const { rest: marked, isAsync } = takeAsyncMark(at < 0 ? '' : request.url.slice(at))
  const rest = marked.slice(1)
  const kept = rest.split('&').filter(part => part !== '' && part.split('=', 1)[0] !== 'qualifier')
  const written =
    /\/v1\/apps\/[^/]+\/functions\/[^/]+\/invoke(\/.*)?$/.exec(
      at < 0 ? request.url : request.url.slice(0, at),
    )?.[1] ?? '/'
  // As the router does it, so that a function has one idea of its paths whichever way a call comes.
  const path = canonicalPath(written)
  if (path === undefined || !PRINTABLE.test(rest))
    throw new AtelierError(
      'INVALID_INPUT',
      'The path behind "invoke" has more than one reading, or holds characters that must be percent-encoded.',
    )
  return {
    path: kept.length > 0 ? `${path}?${kept.join('&')}` : path,
    qualifier,
    isAsync: isAsync || prefersAsync(single(request.headers.prefer)),
  }
}

const PRINTABLE = /^[\x21\x22\x24-\x7e]*$/ // no "#"

function traceOf(request: FastifyRequest): { traceparent?: string } {
  const { traceparent } = request.headers
  return typeof traceparent === 'string' ? { traceparent } : {}
}

/** `invoke` for POST, `invokeGet` for GET. */
function idOf(method: string): string {
  return method === 'POST' ? 'invoke' : `invoke${method[0]}${method.slice(1).toLowerCase()}`
}
