import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Principal } from '../../core/index.ts'
import { type CallReader, fieldsOf, isPlain, type ReadCall } from '../calls.ts'
import type { DialectLog } from '../dialect.ts'
import { cleanPath, type Engine, EngineError } from '../engine/index.ts'
import { bytesOf, errorAnswer, JSON_TYPE } from './answers.ts'
import { appIn } from './apps.ts'
import type { Asked, WhoCalls } from './caller.ts'
import { payloadOf } from './json.ts'
import type { Kept } from './kept.ts'
import { pathIn } from './routes.ts'

/** What a function sees of Picasso's own client, which calls the engine for the caller. */
const HEADERS = ['accept', '*/*', 'content-type', 'application/json']

/** What of a request's header fields counts. */
const FIELDS = new Set(['x-auth-token', 'x-service-token', 'content-type'])
const PRIVATE = /^\/v1\/r\/([\w-]{1,64})\/([\w-]{1,64})\/([\w./-]+)$/
const PUBLIC = /^\/r\/([\w-]{1,64})\/([\w./-]+)$/

/** A call to be made: of a route of an app, with the caller's request. */
interface RouteCall {
  readonly app: string
  readonly path: string
  readonly asked: Asked & { readonly body?: unknown }
  readonly signal: AbortSignal
}

interface RunAnswer {
  readonly id: string
  readonly text: string
}

/**
 * `/v1/r/{project_id}/{app}/{route}` with a token, `/r/{app}/{route}` for anybody. Resolves with what reads the calls that
 * have nothing unusual about them.
 */
export function runRoutes(
  server: FastifyInstance,
  engine: Engine,
  kept: Kept,
  who: WhoCalls,
  log: DialectLog,
): CallReader {
  server.post('/v1/r/:project_id/:app/*', async (request, reply) =>
    send(
      reply,
      await runPrivate({
        app: appIn(request),
        path: pathIn(request),
        asked: request,
        signal: leaving(reply),
      }),
    ),
  )
  server.post('/r/:app/*', async (request, reply) =>
    send(
      reply,
      await runPublic({ app: appIn(request), path: pathIn(request), asked: request, signal: leaving(reply) }),
    ),
  )

  return head => {
    if (head.method !== 'POST' || !isPlain(head)) return undefined
    const { target: url } = head
    const isPrivate = url.startsWith('/v1/')
    const match = (isPrivate ? PRIVATE : PUBLIC).exec(url)
    const headers = match ? fieldsOf(head.rawHeaders, FIELDS) : undefined
    if (!match || !headers) return undefined
    const [project_id, app, rest] = isPrivate ? match.slice(1) : [undefined, ...match.slice(1)]
    const path = cleanPath(rest!)
    return answering((body, signal) => {
      const asked = { method: 'POST', url, headers, params: { project_id }, body }
      return (isPrivate ? runPrivate : runPublic)({ app: app!, path, asked, signal })
    })
  }

  async function runPrivate(call: RouteCall): Promise<RunAnswer> {
    const by = await who(call.asked)
    await kept.app(by, call.app)
    return run(call, by)
  }

  async function runPublic(call: RouteCall): Promise<RunAnswer> {
    const { app, path } = call
    const known = await kept.route(app, path)
    if (!known) throw new EngineError(404, `Route ${path} not found`)
    if (!known.body.isPublic) throw new EngineError(403, `Unable to execute private route ${path}`)
    return run(call, undefined)
  }

  async function run({ app, path, asked, signal }: RouteCall, by: Principal | undefined): Promise<RunAnswer> {
    const payload = payloadOf(bytesOf(asked))
    const call = { app, path, method: 'POST', query: '', headers: HEADERS, payload, signal }
    const answer = await engine.run({ ...call, ...(by && { by }) })
    const said =
      answer.kind === 'async'
        ? {}
        : { result: answer.body.toString(), message: `App ${app} sync route ${path} execution finished` }
    return { id: answer.id, text: JSON.stringify(said) }
  }

  function answering(run: (...given: Parameters<ReadCall>) => Promise<RunAnswer>): ReadCall {
    return async (body, signal) => {
      try {
        const { id, text } = await run(body, signal)
        const headers = ['content-type', JSON_TYPE, 'atelier-invocation-id', id]
        return { status: 200, headers, body: Buffer.from(text) }
      } catch (error) {
        return errorAnswer(error, log)
      }
    }
  }
}

/** Aborted when the client leaves before its answer. */
function leaving({ raw }: FastifyReply): AbortSignal {
  const left = new AbortController()
  raw.once('close', () => {
    if (!raw.writableFinished) left.abort()
  })
  return left.signal
}

function send(reply: FastifyReply, { id, text }: RunAnswer): FastifyReply {
  return reply.header('atelier-invocation-id', id).type(JSON_TYPE).send(text)
}
