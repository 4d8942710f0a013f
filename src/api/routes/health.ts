import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'

const Health = Type.Object({
  status: Type.String({ examples: ['ok'] }),
  reasons: Type.Optional(Type.Array(Type.String())),
})

/** What probes and scrapers ask, without a token: nothing in it is a tenant's but the names in the metrics. */
export function healthRoutes(server: FastifyInstance, { status, metrics }: ApiParts): void {
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
    anonymous: true,
    answers: { 200: Type.String({ description: 'Prometheus text format.' }) },
    handle: async ({ reply }) => {
      reply.type(metrics.contentType)
      return metrics.text()
    },
  })
}
