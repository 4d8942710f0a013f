import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Caller, needAdmin, needRight } from './callers.ts'
import { queryOf, uuidIn } from './reading.ts'

/** One request, with what every route needs of it. */
export interface Asked {
  readonly caller: Caller
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly query: Readonly<Record<string, string>>
  /** A part of the path as it is. */
  param(name: string): string
  /** A part of the path that must be a uuid. */
  id(name?: string): string
}

interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** @default 200 */
  readonly status?: number
  /** Names that the query may have. @default none */
  readonly query?: readonly string[]
  readonly admin?: boolean
  /** What the caller's role must allow. @default `read` for GET, else `write` */
  readonly right?: 'write' | 'invoke'
}

export type AddRoute = (route: Route, handle: (asked: Asked) => Promise<unknown>) => void

/** Adds routes, each with and without a slash at its end. */
export function routesOf(
  server: FastifyInstance,
  callers: { of(request: FastifyRequest): Caller },
): AddRoute {
  return ({ method, path, status = 200, query = [], admin = false, right }, handle) => {
    const handler = async (request: FastifyRequest, reply: FastifyReply) => {
      const caller = callers.of(request)
      if (admin) needAdmin(caller)
      needRight(caller, right ?? (method === 'GET' ? 'read' : 'write'))
      const params = request.params as Readonly<Record<string, string>>
      const answer = await handle({
        caller,
        request,
        reply,
        query: queryOf(request, query),
        param: name => params[name] ?? '',
        id: (name = 'id') => uuidIn(name, params[name]),
      })
      if (reply.sent) return reply
      reply.code(status)
      return answer === undefined ? reply.send() : reply.type('application/json').send(answer)
    }
    for (const url of [path, `${path}/`]) server.route({ method, url, exposeHeadRoute: false, handler })
  }
}
