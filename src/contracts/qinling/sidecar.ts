import type { Server, Socket } from 'node:net'
import { nodeHttp } from '../../core/index.ts'

const REQUESTS_AT_ONCE_MAX = 16
const HEAD_BYTES_MAX = 8 * 1024
const REQUEST_MS_MAX = 10_000

/**
 * What Qinling's runtimes ask for their function's package. It is there before they start, so the answer is always yes; nothing
 * that they say is looked at. `listener`: where they ask, inside their sandbox.
 */
export function serveSidecar(listener: Server): { close(): void } {
  const server = nodeHttp().createServer(
    { maxHeaderSize: HEAD_BYTES_MAX, requestTimeout: REQUEST_MS_MAX, headersTimeout: REQUEST_MS_MAX },
    (request, response) => {
      request.resume()
      const known = request.method === 'POST' && request.url === '/download'
      response.writeHead(known ? 200 : 404, { 'content-type': 'text/plain', connection: 'close' })
      response.end(known ? 'downloaded' : 'not found')
    },
  )
  const sockets = new Set<Socket>()
  listener.maxConnections = REQUESTS_AT_ONCE_MAX
  listener.on('error', () => {}) // its sandbox ends with it
  listener.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    server.emit('connection', socket)
  })
  return {
    close() {
      listener.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
