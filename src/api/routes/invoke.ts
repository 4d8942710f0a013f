import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AtelierError, canonicalPath, type TableFunction } from '../../core/index.ts'
import { CallAnswer } from '../call-answer.ts'
import { requestHeaders } from '../call-headers.ts'
import { need } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { FunctionParams } from '../schemas/inputs.ts'
import { problemResponses } from '../schemas/problem.ts'

const METHODS = ['POST', 'GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const
const UNDOCUMENTED: readonly string[] = ['OPTIONS', 'HEAD'] // they work, and say nothing new

const SCHEMA = {
  tags: ['calls'],
  summary: 'Call a function',
  description:
    'The body is passed through; the function’s status, headers and body come back. What follows `/invoke` is the path that the function sees. `?qualifier=` names an alias or a version number; the rest of the query is the function’s. The caller’s token and cookies do not reach the function, and its cookies do not reach the caller: on the router they do.',
  params: FunctionParams,
  response: {
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
export function invokeRoutes(server: FastifyInstance, { invoker, table }: ApiParts): void {
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
    const target = table.byPath(by.projectName, params.app, params.function)
    if (!target) throw unknown(params, by.projectName)
    const { path, qualifier } = addressOf(request)
    const answer = new CallAnswer(request, reply)
    const hasBody =
      request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
    const handle = invoker.invoke(
      {
        target: target satisfies TableFunction,
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
}

function unknown(params: { app: string; function: string }, project: string): AtelierError {
  const name = JSON.stringify(`${params.app}/${params.function}`)
  return new AtelierError('NOT_FOUND', `There is no function ${name} in project ${JSON.stringify(project)}.`)
}

/** The path and query that the function sees, and which of its versions is meant. */
function addressOf(request: FastifyRequest): { path: string; qualifier: string | undefined } {
  const at = request.url.indexOf('?')
  const query = new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1))
  const qualifier = query.get('qualifier') ?? undefined
  // The query is passed on as it was written; only our own parameter is taken out.
  const rest = at < 0 ? '' : request.url.slice(at + 1)
  const kept = rest.split('&').filter(part => part !== '' && part.split('=', 1)[0] !== 'qualifier')
  const written =
    /\/functions\/[^/]+\/invoke(\/.*)?$/.exec(at < 0 ? request.url : request.url.slice(0, at))?.[1] ?? '/'
  // As the router does it, so that a function has one idea of its paths whichever way a call comes.
  const path = canonicalPath(written)
  if (path === undefined || !PRINTABLE.test(rest))
    throw new AtelierError(
      'INVALID_INPUT',
      'The path behind "invoke" has more than one reading, or holds characters that must be percent-encoded.',
    )
  return { path: kept.length > 0 ? `${path}?${kept.join('&')}` : path, qualifier }
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
