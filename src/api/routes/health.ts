import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import { type IdentityProvider, may } from '../../identity/index.ts'
import { callerOf, tokenOf } from '../authentication.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { Type } from '../schemas/type.ts'

const Health = Type.Object({
  status: Type.String({ examples: ['ok'] }),
  reasons: Type.Optional(Type.Array(Type.String())),
})

/** What probes and scrapers ask. */
export function healthRoutes(server: FastifyInstance, { status, metrics, identity }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/healthz',
    id: 'isAlive',
    tag: 'server',
    summary: 'Whether the process is alive',
    anonymous: true,
    answers: { 200: Health },
    handle: async () => ({ status: 'ok' }),
  })

  operation(server, {
    method: 'GET',
    path: '/readyz',
    id: 'isReady',
    tag: 'server',
    summary: 'Whether calls can be served',
    description: '503 with the reasons until everything is up, and while the server drains.',
    anonymous: true,
    answers: { 200: Health, 503: Health },
    handle: async ({ reply }) => {
      const reasons = status().notReady
      if (reasons.length === 0) return { status: 'ready' }
      reply.code(503)
      return { status: 'not ready', reasons }
    },
  })

  operation(server, {
    method: 'GET',
    path: '/metrics',
    id: 'getMetrics',
    tag: 'server',
    summary: 'Metrics for Prometheus',
    description:
      "They name functions of all projects: from this machine without a token, from elsewhere with an operator's.",
    anonymous: true,
    answersIn: 'text/plain',
    answers: { 200: Type.String({ description: 'Prometheus text format.' }) },
    handle: async ({ request, reply }) => {
      if (!isFromHere(request)) await needOperator(request, identity)
      reply.type(metrics.contentType)
      return metrics.text()
    },
  })
}

/** Whether a program on this machine asks for itself, not a proxy for somebody else. */
function isFromHere({ socket, headers }: FastifyRequest): boolean {
  if (
    headers['x-forwarded-for'] !== undefined ||
    headers.forwarded !== undefined ||
    headers.via !== undefined
  )
    return false
  const address = socket.remoteAddress ?? ''
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.')
}

async function needOperator(request: FastifyRequest, identity: IdentityProvider): Promise<void> {
  const token = tokenOf(request)
  if (token === undefined)
    throw new AtelierError('UNAUTHENTICATED', "From another machine metrics need an operator's token.")
  const principal = await callerOf(request, token, identity)
  if (!may(principal, 'operate'))
    throw new AtelierError('FORBIDDEN', 'Only an operator (role admin) may read metrics.')
}
