import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fastify, { type FastifyInstance, type RouteOptions } from 'fastify'
import { AtelierError, newId } from '../core/index.ts'
import type { ApiLog } from './log.ts'
import { sendProblem } from './problem.ts'
import { models } from './schemas/index.ts'

const TAGS: readonly { readonly name: string; readonly description: string }[] = [
  { name: 'apps', description: 'Named groups of functions with shared configuration.' },
  { name: 'functions', description: 'Deploy, show, change, roll back.' },
  { name: 'versions', description: 'Immutable snapshots of everything that decides how a function runs.' },
  { name: 'aliases', description: 'Names for versions; `live` is what callers get.' },
  { name: 'calls', description: 'Call functions, and look at calls that were.' },
  { name: 'logs', description: 'What functions write.' },
  { name: 'triggers', description: 'What calls functions: routes of the router, and sources of events.' },
  { name: 'topics', description: 'Messages kept by the server, which triggers read at their own pace.' },
  { name: 'secrets', description: 'Values that go in and never come out.' },
  { name: 'packages', description: 'Code as it was sent.' },
  { name: 'environments', description: 'The languages that this server runs.' },
  { name: 'instances', description: 'The sandboxes that run now.' },
  { name: 'usage', description: 'What is billed.' },
  { name: 'projects', description: 'Tenants, and who may do what in them.' },
  { name: 'users', description: 'Who can log in.' },
  { name: 'tokens', description: 'Log in and out.' },
  { name: 'server', description: 'The server itself.' },
]

const INTRODUCTION =
  'Functions-as-a-Service for private clouds. Bodies are JSON, times RFC 3339 in UTC, errors RFC 9457. Lists answer `items` and, when there is more, `next` for `?cursor=`. Single things carry an `ETag`; writes honour `If-Match`. Creates, deploys and calls honour `Idempotency-Key`. A token belongs to one project; the header `Atelier-Project` names another one that the user may work in.'

// Everything the page loads is ours; styles are written into it by the script.
const PAGE_POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; object-src 'none'; style-src 'self' 'unsafe-inline'"

// Swagger UI's bar shows a framework's logo and a field for the address of another document.
const THEME = {
  title: 'Atelier: the API',
  css: [{ filename: 'atelier.css', content: '.swagger-ui .topbar { display: none }' }],
}

/** A route as the document tells it. */
export type DescribedRoute = Pick<RouteOptions, 'method' | 'url' | 'schema' | 'config'>

/**
 * A server that never listens: it knows every route, and answers none but those of Swagger UI below `docsPath`, from our own files.
 * Its `swagger()` is the OpenAPI document.
 */
export async function createDocumentServer(
  routes: readonly DescribedRoute[],
  docsPath: string,
  version: string,
  log: ApiLog,
): Promise<FastifyInstance> {
  const server = fastify({ logger: false, exposeHeadRoutes: true, genReqId: () => newId(Date.now()) })
  server.setErrorHandler((error, request, reply) => sendProblem(error, request, reply, log))
  server.setNotFoundHandler(async () => {
    throw new AtelierError('NOT_FOUND', `There is no such page; the documentation begins at ${docsPath}.`)
  })
  server.setValidatorCompiler(() => () => true)
  server.setSerializerCompiler(() => value => JSON.stringify(value))
  for (const schema of models) server.addSchema(schema)
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Atelier',
        version,
        description: INTRODUCTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: [...TAGS],
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer' },
          authToken: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
        },
      },
    },
    // What a handler reads by itself is not validated by the framework, but the document must tell it.
    transform: ({ schema, url, route }) => {
      const parts = route.config?.multipart
      return { url, schema: parts ? { ...schema, consumes: ['multipart/form-data'], body: parts } : schema }
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) =>
        typeof json['$id'] === 'string' ? json['$id'] : `def-${index}`,
    },
  })
  await server.register(swaggerUi, { routePrefix: docsPath, staticCSP: PAGE_POLICY, theme: THEME })
  for (const route of routes)
    server.route({
      ...route,
      handler: async () => {
        throw new AtelierError('INTERNAL', 'The documentation answered for the API.')
      },
    })
  await server.ready()
  return server
}
