import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ErrorCode, Principal } from '../core/index.ts'
import { AtelierError } from '../core/index.ts'
import { type Action, may } from '../identity/index.ts'
import { problemResponses } from './schemas/problem.ts'
import type { Static, TObject, TSchema } from './schemas/type.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation takes an `Idempotency-Key`. */
    idempotent?: boolean
    /** Answered without a token. */
    anonymous?: boolean
    /** Parts of a multipart body, for the OpenAPI document. */
    multipart?: TObject
  }
  interface FastifyRequest {
    /** Set by the authentication hook for every operation that is not anonymous. */
    principal: Principal | null
  }
}

/** One operation of the API: its route, its line in the OpenAPI document, and what it does. */
export interface Operation<P extends TObject, Q extends TObject, B extends TSchema> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** OpenAPI's way of writing: `/apps/{app}`. */
  readonly path: string
  readonly id: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  readonly params?: P
  readonly query?: Q
  readonly body?: B
  /** The body's parts, for the document; the handler reads them itself. */
  readonly multipart?: TObject
  /** A missing body counts as `{}`. */
  readonly bodyOptional?: boolean
  /** Successful answers by status; the first is the one given unless the handler says otherwise. */
  readonly answers: Readonly<Record<number, TSchema>>
  /** Media type of the successful answers, for the document (default: JSON). */
  readonly answersIn?: string
  /** What can go wrong beyond what always can. */
  readonly errors?: readonly ErrorCode[]
  /** Checked here before the handler runs; the control plane's operations check by themselves. */
  readonly needs?: Action
  readonly idempotent?: boolean
  /** For an idempotent operation whose handler reads a stream: see `idempotency.ts`. */
  readonly digestBody?: (request: FastifyRequest) => Promise<string>
  readonly anonymous?: boolean
  /** The answer's body; `undefined` when the reply was already sent or has none. */
  handle(call: OperationCall<Static<P>, Static<Q>, Static<B>>): Promise<unknown>
}

export interface OperationCall<P, Q, B> {
  readonly by: Principal
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly request: FastifyRequest
  readonly reply: FastifyReply
}

export type Tag =
  | 'apps'
  | 'functions'
  | 'versions'
  | 'aliases'
  | 'calls'
  | 'logs'
  | 'triggers'
  | 'topics'
  | 'secrets'
  | 'packages'
  | 'environments'
  | 'instances'
  | 'usage'
  | 'projects'
  | 'users'
  | 'tokens'
  | 'server'

/** Registers an operation under the scope's prefix. */
export function operation<P extends TObject, Q extends TObject, B extends TSchema>(
  server: FastifyInstance,
  op: Operation<P, Q, B>,
): void {
  const statuses = Object.keys(op.answers).map(Number)
  const errors = [...(op.errors ?? []), ...standardErrors(op)]
  server.route({
    method: op.method,
    url: op.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    schema: {
      operationId: op.id,
      tags: [op.tag],
      summary: op.summary,
      ...(op.description !== undefined && { description: op.description }),
      ...(op.params && { params: op.params }),
      ...(op.query && { querystring: op.query }),
      ...(op.body && { body: op.body }),
      ...(op.answersIn !== undefined && { produces: [op.answersIn] }),
      response: { ...op.answers, ...problemResponses(errors) },
      security: op.anonymous ? [] : [{ bearer: [] }, { authToken: [] }],
    },
    config: {
      idempotent: op.idempotent ?? false,
      anonymous: op.anonymous ?? false,
      ...(op.multipart && { multipart: op.multipart }),
      ...(op.digestBody && { digestBody: op.digestBody }),
    },
    ...(op.bodyOptional && {
      preValidation: async (request: FastifyRequest) => {
        request.body ??= {}
      },
    }),
    handler: async (request, reply) => {
      if (!op.anonymous && request.principal === null)
        throw new AtelierError('UNAUTHENTICATED', 'This operation needs a token.')
      if (op.needs) need(request.principal!, op.needs)
      if (statuses[0] !== undefined) reply.code(statuses[0])
      const call = {
        by: request.principal!,
        params: request.params as Static<P>,
        query: request.query as Static<Q>,
        body: request.body as Static<B>,
        request,
        reply,
      }
      const answer = await op.handle(call)
      if (reply.sent) return reply
      return answer === undefined ? reply.send() : answer
    },
  })
}

/** Throws FORBIDDEN when the principal's role does not allow `action`. */
export function need(by: Principal, action: Action): void {
  if (may(by, action)) return
  const roles = by.roles.join(', ') || 'none'
  throw new AtelierError(
    'FORBIDDEN',
    `User ${JSON.stringify(by.userName)} may not ${action} in project ${JSON.stringify(by.projectName)} (roles: ${roles}).`,
  )
}

function standardErrors(op: Operation<TObject, TObject, TSchema>): ErrorCode[] {
  const errors: ErrorCode[] = ['INVALID_INPUT']
  if (!op.anonymous) errors.push('UNAUTHENTICATED', 'FORBIDDEN')
  if (op.params) errors.push('NOT_FOUND')
  if (op.body) errors.push('BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE')
  if (op.idempotent) errors.push('CONFLICT')
  return errors
}
