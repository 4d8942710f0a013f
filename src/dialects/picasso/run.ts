import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Principal } from '../../core/index.ts'
import { type Engine, EngineError } from '../engine/index.ts'
import { bytesOf } from './answers.ts'
import { appIn } from './apps.ts'
import type { WhoCalls } from './caller.ts'
import { payloadOf } from './json.ts'
import type { Kept } from './kept.ts'
import { pathIn } from './routes.ts'

/** What a function sees of Picasso's own client, which calls the engine for the caller. */
const HEADERS = ['accept', '*/*', 'content-type', 'application/json']

/** `/v1/r/{project_id}/{app}/{route}` with a token, `/r/{app}/{route}` for anybody. */
export function runRoutes(server: FastifyInstance, engine: Engine, kept: Kept, who: WhoCalls): void {
  server.post('/v1/r/:project_id/:app/*', async (request, reply) => {
    const by = await who(request)
    await kept.app(by, appIn(request))
    return run(request, reply, by)
  })

  server.post('/r/:app/*', async (request, reply) => {
    const path = pathIn(request)
    const known = await kept.route(appIn(request), path)
    if (!known) throw new EngineError(404, `Route ${path} not found`)
    if (!known.body.isPublic) throw new EngineError(403, `Unable to execute private route ${path}`)
    return run(request, reply, undefined)
  })

  async function run(request: FastifyRequest, reply: FastifyReply, by: Principal | undefined) {
    const app = appIn(request)
    const path = pathIn(request)
    const payload = payloadOf(bytesOf(request))
    const left = new AbortController()
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) left.abort()
    })
    const call = { app, path, method: 'POST', query: '', headers: HEADERS, payload, signal: left.signal }
    const answer = await engine.run({ ...call, ...(by && { by }) })
    reply.header('atelier-invocation-id', answer.id).type('application/json; charset=utf-8')
    if (answer.kind === 'async') return '{}'
    // As text: the framework would look for a serializer first, in every call.
    return JSON.stringify({
      result: answer.body.toString(),
      message: `App ${app} sync route ${path} execution finished`,
    })
  }
}
