/** The same handlers on bare `node:http`: what a function would be that serves itself. */
import { createServer } from 'node:http'
import { announce } from './announce.ts'

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', 'content-length': 13 })
    response.end('Hello, World!')
    return
  }
  const parts: Buffer[] = []
  request.on('data', part => parts.push(part))
  request.on('end', () => {
    const order = JSON.parse(Buffer.concat(parts).toString()) as { items: unknown[] }
    const body = JSON.stringify({ items: order.items.length })
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    response.end(body)
  })
})
server.listen(0, '127.0.0.1', () => announce(server))
