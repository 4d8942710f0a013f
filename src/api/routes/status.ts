import type { FastifyInstance } from 'fastify'
import { may } from '../../identity/index.ts'
import type { EnvironmentList } from '../environment-list.ts'
import { operation } from '../operation.ts'
import type { ApiParts } from '../parts.ts'
import { ref } from '../schemas/model.ts'
import { StatusSchema } from '../schemas/server.ts'
import { time } from '../views.ts'

export function statusRoutes(server: FastifyInstance, parts: ApiParts, environments: EnvironmentList): void {
  const { status, table, pool, clock } = parts
  operation(server, {
    method: 'GET',
    path: '/status',
    id: 'getStatus',
    tag: 'server',
    summary: 'What this server is, and how it is',
    answers: { 200: ref(StatusSchema, 'Version, isolation, counts.') },
    handle: async ({ by }) => {
      const { dataPath, startedAt: begun, ...rest } = status()
      const operator = may(by, 'operate')
      const mine = (one: { readonly projectId?: string }) => operator || one.projectId === by.projectId
      const instances = pool.instances().filter(mine)
      return {
        ...rest,
        startedAt: time(begun),
        uptimeMs: clock.now() - begun,
        ...(operator && { dataPath }),
        ...(operator &&
          parts.nodes && {
            nodes: parts.nodes.entries.map(({ id, url, version, startedAt, isLeader }) => ({
              id,
              url,
              version,
              startedAt: time(startedAt),
              isLeader,
              isThis: id === parts.nodes?.id,
            })),
          }),
        counts: {
          functions: count(table.functions.values(), mine),
          triggers: count(table.triggers.values(), mine),
          instances: instances.length,
          inFlight: instances.reduce((sum, one) => sum + one.inFlight, 0),
        },
        environments: await environments.all(),
      }
    },
  })
}

function count<T>(items: Iterable<T>, wanted: (item: T) => boolean): number {
  let found = 0
  for (const item of items) if (wanted(item)) found++
  return found
}
