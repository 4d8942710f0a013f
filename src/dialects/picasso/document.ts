import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { swaggerDocument } from './swagger.ts'

/** `/api/swagger.json`, and a page at `/api`. */
export async function documentRoutes(server: FastifyInstance): Promise<void> {
  const document = swaggerDocument()
  server.get('/api/swagger.json', async () => document)
  await server.register(swagger, { mode: 'static', specification: { document } })
  await server.register(swaggerUi, {
    routePrefix: '/api',
    staticCSP: true,
    theme: { title: document.info.title },
  })
}
