import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Principal, requestHeaders, type TableFunction } from '../../core/index.ts'
import type { Action } from '../../identity/index.ts'
import { callWhole } from '../call.ts'
import type { DialectParts } from '../dialect.ts'
import { bodyOf, FnError } from './answers.ts'
import type { FnRecord } from './deploy.ts'
import { type Kept, ourName } from './kept.ts'

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'] as const
const WITHHELD = ['expect']
const SAID_BY_US = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'upgrade'])
const TRIGGER = 'fn'

/** `POST /invoke/<fn>`, as the function's kit takes it; ANY `/t/<app>/<source>`, as through Fn's HTTP gateway. */
export function invokeRoutes(
  server: FastifyInstance,
  parts: DialectParts,
  kept: Kept,
  who: (request: FastifyRequest, action: Action) => Promise<Principal>,
): void {
  const { invoker, async, table } = parts

  server.post('/invoke/:id', async (request, reply) => {
    const fn = await kept.fns.get((request.params as { id: string }).id)
    if (!fn) throw new FnError(404, 'Fn not found')
    return call(request, reply, fn, '/', true)
  })

  for (const url of ['/t/:app', '/t/:app/*'])
    server.route({
      method: [...METHODS],
      url,
      exposeHeadRoute: false,
      handler: async (request, reply) => {
        const params = request.params as { app: string; '*'?: string }
        const source = `/${params['*'] ?? ''}`
        const trigger = await kept.triggers.get(`${params.app} ${source}`)
        const fn = trigger && (await kept.fns.get(trigger.body.fnId))
        if (!fn) throw new FnError(404, 'Trigger not found')
        return call(request, reply, fn, request.url, false)
      },
    })

  async function call(
    request: FastifyRequest,
    reply: FastifyReply,
    fn: FnRecord,
    path: string,
    isRaw: boolean,
  ): Promise<FastifyReply> {
    const target = await targetOf(fn)
    // Fn knows no private functions: this one was closed by the platform's own API.
    if (target.access === 'private' && (await who(request, 'invoke')).projectId !== target.projectId)
      throw new FnError(404, 'Fn not found')
    const headers = requestHeaders(request.raw.rawHeaders, WITHHELD)
    // The contract `fn` is told so, and clients cannot: the name is one of the platform's.
    if (isRaw) headers.push('atelier-fn-intent', 'invoke')
    const what = { method: request.method, path, headers, body: bodyOf(request) }
    if (request.headers['fn-invoke-type'] === 'detached') {
      const { projectId, id: functionId } = target
      const [accepted] = await async.accept([{ projectId, functionId, trigger: TRIGGER, ...what }])
      return reply.code(202).header('fn-call-id', accepted!.id).send()
    }
    const left = new AbortController()
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) left.abort()
    })
    const answer = await callWhole(
      invoker,
      { target, qualifier: undefined, trigger: TRIGGER, ...what },
      left.signal,
    )
    for (let i = 0; i + 1 < answer.headers.length; i += 2) {
      const name = answer.headers[i]!
      if (SAID_BY_US.has(name)) continue
      const before = reply.getHeader(name)
      const value = answer.headers[i + 1]!
      reply.header(name, before === undefined ? value : [before, value].flat().map(String))
    }
    return reply.code(answer.status).header('fn-call-id', answer.id).send(answer.body)
  }

  async function targetOf(fn: FnRecord): Promise<TableFunction> {
    const app = await kept.apps.get(fn.body.appId)
    const project = table.projects.get(fn.projectId)
    const target = app && project && table.byPath(project.name, ourName(app.body.name), ourName(fn.body.name))
    if (!target) throw new FnError(404, 'Fn not found')
    return target
  }
}
