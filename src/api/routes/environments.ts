import type { FastifyInstance } from 'fastify'
import { AtelierError } from '../../core/index.ts'
import type { EnvironmentList } from '../environment-list.ts'
import { operation } from '../operation.ts'
import { named } from '../schemas/inputs.ts'
import { listOf, ref } from '../schemas/model.ts'
import { EnvironmentSchema } from '../schemas/server.ts'

export function environmentRoutes(server: FastifyInstance, environments: EnvironmentList): void {
  operation(server, {
    method: 'GET',
    path: '/environments',
    id: 'listEnvironments',
    tag: 'environments',
    summary: 'List environments',
    needs: 'read',
    answers: { 200: listOf(EnvironmentSchema) },
    handle: async () => ({ items: await environments.all() }),
  })

  operation(server, {
    method: 'GET',
    path: '/environments/{name}',
    id: 'getEnvironment',
    tag: 'environments',
    summary: 'Show an environment',
    needs: 'read',
    params: named('name', 'The environment’s name.'),
    answers: { 200: ref(EnvironmentSchema, 'The environment.') },
    handle: async ({ params }) => {
      const all = await environments.all()
      const found = all.find(one => one.name === params.name)
      if (found) return found
      const names = all.map(one => one.name).join(', ')
      throw new AtelierError(
        'NOT_FOUND',
        `There is no environment ${JSON.stringify(params.name)}; there are ${names}.`,
      )
    },
  })
}
