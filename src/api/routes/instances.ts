import type { FastifyInstance } from 'fastify'
import { AtelierError, type Principal } from '../../core/index.ts'
import { may } from '../../identity/index.ts'
import type { InstanceView } from '../../pool/index.ts'
import { operation } from '../operation.ts'
import { pageByKey } from '../paging.ts'
import type { ApiParts } from '../parts.ts'
import { InstanceSchema } from '../schemas/calls.ts'
import { named, Paged } from '../schemas/inputs.ts'
import { Nothing, pageOf, ref } from '../schemas/model.ts'
import { instanceView, pageView } from '../views.ts'

const InstanceParams = named('id', 'The instance’s id.')

export function instanceRoutes(server: FastifyInstance, { pool, table }: ApiParts): void {
  operation(server, {
    method: 'GET',
    path: '/instances',
    id: 'listInstances',
    tag: 'instances',
    summary: 'List instances',
    description: 'Those of the project; operators see all, also the generic ones that wait for work.',
    needs: 'read',
    query: Paged,
    answers: { 200: pageOf(InstanceSchema) },
    handle: async ({ by, query }) => {
      const page = await pageByKey(
        query,
        (count, after = '') =>
          pool
            .instances()
            .filter(one => one.id > after && isVisible(one, by))
            .sort((a, b) => (a.id < b.id ? -1 : 1))
            .slice(0, count),
        one => one.id,
      )
      return pageView(page, one => instanceView(one, table))
    },
  })

  operation(server, {
    method: 'GET',
    path: '/instances/{id}',
    id: 'getInstance',
    tag: 'instances',
    summary: 'Show an instance',
    needs: 'read',
    params: InstanceParams,
    answers: { 200: ref(InstanceSchema, 'The instance.') },
    handle: async ({ by, params }) => instanceView(find(params.id, by), table),
  })

  operation(server, {
    method: 'DELETE',
    path: '/instances/{id}',
    id: 'killInstance',
    tag: 'instances',
    summary: 'Kill an instance',
    description: 'Calls that it holds fail. A new one is started when it is needed.',
    needs: 'write',
    params: InstanceParams,
    answers: { 204: Nothing },
    handle: async ({ by, params }) => {
      find(params.id, by)
      await pool.kill(params.id, `killed by ${by.userName}`)
    },
  })

  function find(id: string, by: Principal): InstanceView {
    const found = pool.instances().find(one => one.id === id && isVisible(one, by))
    if (found) return found
    throw new AtelierError(
      'NOT_FOUND',
      `There is no instance ${JSON.stringify(id)}; it may have been recycled.`,
    )
  }
}

function isVisible(instance: InstanceView, by: Principal): boolean {
  return instance.projectId === by.projectId || may(by, 'operate')
}
