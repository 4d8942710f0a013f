import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { requestHeaders } from '../../core/index.ts'
import type { Engine } from '../engine/index.ts'
import { bodyOf } from './answers.ts'
import { appIn } from './apps.ts'
import { pathIn } from './routes.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const
const OURS = ['cookie', 'expect']
const NOT_OURS_TO_SAY = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'upgrade',
])

/** ANY `/r/:app/*`: calls a route. */
export function runRoutes(server: FastifyInstance, engine: Engine): void {
  for (const url of ['/r/:app', '/r/:app/*'])
    server.route({
      method: [...METHODS],
      url,
      exposeHeadRoute: false,
      handler: (request, reply) => run(request, reply, engine),
    })
}

async function run(request: FastifyRequest, reply: FastifyReply, engine: Engine): Promise<FastifyReply> {
  const left = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) left.abort()
  })
  const question = request.url.indexOf('?')
  const answer = await engine.run({
    app: appIn(request),
    path: pathIn(request),
    method: request.method,
    query: question < 0 ? '' : request.url.slice(question),
    headers: requestHeaders(request.raw.rawHeaders, OURS),
    payload: bodyOf(request),
    signal: left.signal,
  })
  reply.header('atelier-invocation-id', answer.id)
  if (answer.kind === 'async') return reply.code(202).send({ call_id: answer.id })
  for (let i = 0; i + 1 < answer.headers.length; i += 2)
    if (!NOT_OURS_TO_SAY.has(answer.headers[i]!)) reply.header(answer.headers[i]!, answer.headers[i + 1]!)
  return reply.code(answer.status).send(answer.body)
}
