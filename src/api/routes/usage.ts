import type { FastifyInstance } from 'fastify'
import { AtelierError, type Clock } from '../../core/index.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { UsageSchema } from '../schemas/calls.ts'
import { exactly } from '../schemas/inputs.ts'
import { ref } from '../schemas/model.ts'
import { Type } from '../schemas/type.ts'
import { msOf, time } from '../views.ts'

const DAY_MS = 86_400_000
const DAYS_MAX = 400

export function usageRoutes(server: FastifyInstance, { telemetry, clock }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/usage',
    id: 'getUsage',
    tag: 'usage',
    summary: 'What the project used, by function and day',
    description: 'Sums are kept by day (UTC): the days that `from` and `to` touch are counted whole.',
    needs: 'read',
    query: exactly({
      from: Type.Optional(Type.String({ format: 'date-time', description: 'Default: 30 days ago.' })),
      to: Type.Optional(Type.String({ format: 'date-time', description: 'Default: now.' })),
      app: Type.Optional(Type.String()),
      function: Type.Optional(Type.String()),
    }),
    answers: { 200: ref(UsageSchema, 'The sums.') },
    handle: async ({ by, query }) => {
      const { fromMs, toMs } = range(query, clock)
      const rows = await telemetry.usage(by.projectId, { fromMs, toMs })
      return {
        from: time(fromMs),
        to: time(toMs),
        items: rows.filter(
          row =>
            (query.app === undefined || row.appName === query.app) &&
            (query.function === undefined || row.functionName === query.function),
        ),
      }
    },
  })
}

/** Whole days that hold the wanted time. */
function range(query: { from?: string; to?: string }, clock: Clock): { fromMs: number; toMs: number } {
  const to = query.to === undefined ? clock.now() : msOf(query.to)
  const from = query.from === undefined ? to - 30 * DAY_MS : msOf(query.from)
  const fromMs = Math.floor(from / DAY_MS) * DAY_MS
  const toMs = Math.ceil(to / DAY_MS) * DAY_MS
  if (from > to || toMs - fromMs > DAYS_MAX * DAY_MS)
    throw new AtelierError(
      'INVALID_INPUT',
      `"from" must be before "to", and at most ${DAYS_MAX} days apart.`,
      {
        errors: [{ pointer: 'from', detail: `must be before "to", at most ${DAYS_MAX} days` }],
      },
    )
  return { fromMs, toMs }
}
