import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { DescribedRoute } from './document-server.ts'
import type { ApiLog } from './log.ts'

const DOCS_PATH = '/docs'

/**
 * Serves the OpenAPI document at /v1/openapi.json and Swagger UI at /docs. Routes that are registered afterwards are described.
 * What makes the document, and holds every schema once more, is loaded when somebody asks: most servers are never asked.
 */
export function documentApi(server: FastifyInstance, version: string, log: ApiLog): void {
  const routes: DescribedRoute[] = []
  server.addHook('onRoute', ({ method, url, schema = {}, config = {} }) => {
    if (method !== 'HEAD' && schema.hide !== true) routes.push({ method, url, schema, config })
  })
  let made: Promise<FastifyInstance> | undefined
  const documentServer = (): Promise<FastifyInstance> =>
    (made ??= import('./document-server.ts').then(({ createDocumentServer }) =>
      createDocumentServer(routes, DOCS_PATH, version, log),
    ))
  server.addHook('onClose', async () => (await made)?.close())

  const hidden = { schema: { hide: true }, config: { anonymous: true } }
  server.get('/v1/openapi.json', hidden, async () => (await documentServer()).swagger())
  const show = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const pages = await documentServer()
    for (const [name, value] of Object.entries(reply.getHeaders()))
      if (value !== undefined) reply.raw.setHeader(name, value)
    reply.hijack()
    pages.routing(request.raw, reply.raw)
  }
  server.get(DOCS_PATH, hidden, show)
  server.get(`${DOCS_PATH}/*`, hidden, show)
}
