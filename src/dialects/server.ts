import fastify, { type FastifyInstance } from 'fastify'
import { BODY_BYTES_BUFFERED_MAX, newId } from '../core/index.ts'
import type { Dialect, DialectLog, DialectParts } from './dialect.ts'

const REQUEST_TIMEOUT_MS = 5 * 60_000 // for a whole request to come in
const HEADERS_TIMEOUT_MS = 15_000

/** A server for one dialect, ready to listen. `close()` lets requests that run finish. */
export async function createDialectServer(dialect: Dialect, parts: DialectParts): Promise<FastifyInstance> {
  const server = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_BUFFERED_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    // In its place. To the framework's types a server of HTTPS is another kind of thing; it is spoken to in the same way.
    ...(parts.encryption &&
      ({
        https: {
          ...parts.encryption,
          headersTimeout: HEADERS_TIMEOUT_MS,
          handshakeTimeout: HEADERS_TIMEOUT_MS,
        },
      } as object)),
    genReqId: () => newId(parts.clock.now()),
    routerOptions: { maxParamLength: 1024 },
    forceCloseConnections: 'idle',
    return503OnClosing: false,
  })
  if (parts.log.isLevelEnabled('debug')) logRequests(server, dialect.name, parts.log)
  await dialect.register(server, parts)
  await server.ready()
  return server
}

/** Not where nobody reads it: it is on every call's way. */
function logRequests(server: FastifyInstance, dialect: string, log: DialectLog): void {
  server.addHook('onResponse', (request, reply, done) => {
    const fields = {
      dialect,
      requestId: request.id,
      method: request.method,
      path: request.url.split('?', 1)[0], // a query may hold what is nobody's business
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    }
    log.debug(fields, 'request')
    done()
  })
}
